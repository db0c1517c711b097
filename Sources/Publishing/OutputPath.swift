import Products

/// Where a product's document lies in the output folder: `products/<product-id>.json`; where files are sharded,
/// `products/<digits of the id's SHA-256>/<product-id>.json`; where one file has all, that.
///
/// Most ids are their own path. Where an id would not be a safe one, bytes are written as `%` and two
/// hexadecimal digits; undoing that everywhere, and joining what a lone `%` at the end of a part cut, gives
/// the id's bytes back:
/// - `%` itself, control characters, backslashes, and bytes that are not UTF-8, wherever they are;
/// - the first byte of the parts `.` and `..`, also where a cut makes one; an empty part is written `%%`;
/// - the dot of a folder's last `.json`, so that no folder takes the place of a file (`a/b` in folder `a.json`);
/// - a part that is too long for a file name is cut into several, all but the last ending in `%`.
package struct OutputPath: Hashable, Sendable {
    /// The parts of the path below the output folder.
    package let components: [String]

    package var relative: String { components.joined(separator: "/") }

    /// As a name that differs from others by its bytes: two paths may differ in Unicode spelling alone.
    var name: FileName { FileName(text: relative) }

    package static func == (left: OutputPath, right: OutputPath) -> Bool { left.name == right.name }
    package func hash(into hasher: inout Hasher) { name.hash(into: &hasher) }

    package static let folder = "products"
    /// The file of all products.
    static let ofAll = OutputPath(components: ["all.json"])
    private static let ending = ".json"
    /// NAME_MAX of Linux is 255 bytes; this leaves room for the ending.
    private static let longestPart = 240
    private static let emptyPart = "%%"

    private init(components: [String]) { self.components = components }

    package init(of product: ProductID, in layout: OutputForm.Layout) {
        switch layout {
        case .products: self.init(of: product, below: [Self.folder])
        case .sharded(let digits):
            let digest = ContentDigest(of: product.text.utf8).description
            self.init(of: product, below: [Self.folder, String(digest.prefix(digits))])
        case .single: self = Self.ofAll
        }
    }

    private init(of product: ProductID, below folders: [String]) {
        let parts = product.name.bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        var components = folders
        for (index, part) in parts.enumerated() {
            var pieces = Self.pieces(Array(part))
            if index == parts.count - 1 { pieces[pieces.count - 1] += Self.ending }
            components += pieces.dropLast().map { $0 + "%" }
            components.append(pieces.last!)
        }
        // All but the file are folders. Endings are compared as bytes: a character may swallow the dot.
        for index in components.indices.dropLast()
        where components[index].utf8.suffix(Self.ending.utf8.count).elementsEqual(Self.ending.utf8) {
            let stem = components[index].utf8.dropLast(Self.ending.utf8.count)
            components[index] = String(decoding: stem, as: UTF8.self) + "%2Ejson"
        }
        self.components = components
    }

    /// The product whose document lies at a path, or nil where no product's does.
    ///
    /// - Parameter layout: not one file for all.
    package static func product(at relative: String, in layout: OutputForm.Layout) -> ProductID? {
        var bytes: [UInt8] = []
        var rest = relative.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        guard let first = rest.popFirst(), first.elementsEqual(folder.utf8) else { return nil }
        if case .sharded = layout { _ = rest.popFirst() }
        guard let last = rest.popLast(),
            last.count > ending.utf8.count || last.elementsEqual(ending.utf8),
            last.suffix(5).elementsEqual(ending.utf8)
        else { return nil }
        for part in rest + [last.dropLast(5)] {
            var part = part.elementsEqual(emptyPart.utf8) ? part.dropFirst(2) : part
            let continues = part.last == UInt8(ascii: "%")
            if continues { part = part.dropLast() }
            while let byte = part.popFirst() {
                if byte == UInt8(ascii: "%") {
                    guard let high = part.popFirst().flatMap(digit), let low = part.popFirst().flatMap(digit)
                    else { return nil }
                    bytes.append(high << 4 | low)
                } else {
                    bytes.append(byte)
                }
            }
            if !continues { bytes.append(UInt8(ascii: "/")) }
        }
        guard bytes.popLast() == UInt8(ascii: "/") else { return nil }
        let product = ProductID(FileName(bytes: bytes))
        return OutputPath(of: product, in: layout).relative.utf8.elementsEqual(relative.utf8) ? product : nil
    }

    // MARK: The escape

    /// One part of an id, escaped, in pieces that fit a file name.
    private static func pieces(_ part: [UInt8]) -> [String] {
        // Most parts are what they are.
        if (1...longestPart).contains(part.count), part.allSatisfy(isPlain),
            part.contains(where: { $0 != UInt8(ascii: ".") })
        {
            return [String(decoding: part, as: UTF8.self)]
        }
        var pieces = [""]
        for unit in escapedUnits(part) {
            if pieces[pieces.count - 1].utf8.count + unit.utf8.count > longestPart { pieces.append("") }
            pieces[pieces.count - 1] += unit
        }
        // What a cut leaves may be `..` although the part was not.
        return pieces.map { $0 == "." || $0 == ".." ? "%2E" + $0.dropFirst() : $0 }
    }

    /// The smallest pieces that may not be cut: characters, and escapes.
    private static func escapedUnits(_ part: [UInt8]) -> [String] {
        if part.isEmpty { return [emptyPart] }
        let isDots = part == [UInt8(ascii: ".")] || part == Array("..".utf8)
        var units: [String] = []
        for (index, scalar) in FileName(bytes: part).text.unicodeScalars.enumerated() {
            let isUnsafe =
                scalar.value < 0x20 || scalar.value == 0x7F || scalar == "%" || scalar == "\\"
                || (0x80...0x9F).contains(scalar.value) || isDots && index == 0
            let bytes = FileName(text: String(scalar)).bytes
            if isUnsafe || !bytes.elementsEqual(String(scalar).utf8) {
                units += bytes.map(escape)
            } else {
                units.append(String(scalar))
            }
        }
        return units
    }

    /// Whether a byte is a character that needs no escape, whatever is beside it.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "%") && byte != UInt8(ascii: "\\")
    }

    private static func escape(_ byte: UInt8) -> String {
        let digits = Array("0123456789ABCDEF")
        return "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}

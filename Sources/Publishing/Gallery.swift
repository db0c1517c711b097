import Foundation
import Products

/// The review page: a folder with one HTML file and its data, which opens from disk and shows each product with what is
/// recommended beside it, what has changed since the page before, and what may need a person.
///
/// It needs no server and no other file but the photos, which it names by relative addresses.
package struct Gallery {
    package static let pageName = "index.html"
    package static let dataName = "data.js"

    private struct Entry {
        let product: ProductID
        let addresses: [String]
        let similar: [(product: ProductID, score: Float)]
    }

    private let base: String
    private let model: String
    private let nearDuplicateScore: Double
    private let failed: [(path: ImagePath, reason: String)]
    private var entries: [Entry] = []
    /// The products that have a photo of the same bytes.
    private var productsByContent: [ContentDigest: [Int]] = [:]

    /// - Parameters:
    ///   - imagesFolder: absolute path of the photos.
    ///   - folder: absolute path of the folder that the page will lie in.
    ///   - model: the model's name.
    ///   - nearDuplicateScore: the cosine similarity from which on two products may be one.
    ///   - failed: photos that cannot be used, and why.
    package init(
        imagesFolder: String, folder: String, model: String, nearDuplicateScore: Double,
        failed: [(path: ImagePath, reason: String)] = []
    ) {
        base = WebAddress.relative(from: folder, to: imagesFolder)
        self.model = model
        self.nearDuplicateScore = nearDuplicateScore
        self.failed = failed
    }

    package var count: Int { entries.count }

    /// Takes products in the order of their ids.
    package mutating func add(_ document: ProductDocument) {
        for digest in Set(document.photos.map(\.digest)) {
            productsByContent[digest, default: []].append(entries.count)
        }
        entries.append(
            Entry(
                product: document.product,
                addresses: document.photos.map { WebAddress.encoded($0.path.name.bytes) },
                similar: document.recommendations.map { ($0.neighbour.product, $0.neighbour.score) }))
    }

    /// The page, which is the same whatever it shows.
    package static var page: [UInt8] { PackageResources.gallery_html }

    /// The data of the page.
    ///
    /// - Parameters:
    ///   - previous: those of the page before, to compare with; nil where there is none.
    ///   - now: noted as the time of the page.
    /// - Returns: nil where nothing has changed: the page before, with what it was compared with, is still right.
    package func data(previous: [UInt8]?, now: Date) -> [UInt8]? {
        let content = content
        let before = previous.flatMap(Snapshot.init)
        if let before, before.content.elementsEqual(content) { return nil }
        var json = JSONText(isCompact: true)
        json.append(Self.start)
        json.open(.object)
        json.addMember("time", now.formatted(.iso8601))
        json.beginMember("since")
        if let before { json.append(string: before.time) } else { json.append("null") }
        json.beginMember("changes")
        append(before.map(changes) ?? Changes(), to: &json)
        json.beginMember("content")
        json.append(Self.separator)
        return json.bytes + content + Array(Self.end.utf8)
    }

    /// Whether a file's bytes are data of a review page.
    package static func isData(_ bytes: [UInt8]) -> Bool { bytes.starts(with: Array(start.utf8)) }

    // Between these lies what pages are compared by.
    private static let start = "window.review="
    private static let separator = "\n"
    private static let end = "\n};\n"

    private var content: [UInt8] {
        let indices = Dictionary(
            entries.enumerated().map { ($1.product, $0) }, uniquingKeysWith: { first, _ in first })
        var json = JSONText(isCompact: true)
        json.open(.object)
        json.addMember("model", model)
        json.addMember("base", base)
        json.beginMember("nearDuplicateScore")
        json.append("\(nearDuplicateScore)")
        json.beginMember("products")
        json.appendArray(entries) { json, entry in
            json.open(.array)
            json.beginElement()
            json.append(string: entry.product.text)
            json.beginElement()
            json.appendArray(entry.addresses) { $0.append(string: $1) }
            json.beginElement()
            json.appendArray(entry.similar.filter { indices[$0.product] != nil }) { json, similar in
                json.append("[\(indices[similar.product] ?? 0),\(JSONText.score(similar.score))]")
            }
            json.close()
        }
        json.beginMember("failed")
        json.appendArray(failed) { json, failure in
            json.appendArray([failure.path.text, failure.reason]) { $0.append(string: $1) }
        }
        json.beginMember("same")
        let same = productsByContent.values.filter { $0.count > 1 }.sorted {
            $0.lexicographicallyPrecedes($1)
        }
        json.appendArray(same) { json, group in json.appendArray(group) { $0.append("\($1)") } }
        json.close()
        return json.bytes
    }

    // MARK: What has changed

    private struct Changes {
        var added: [Int] = []
        var removed: [String] = []
        /// Each product with the ranks of those that are new in its list, and those that are there no more.
        var changed: [(product: Int, came: [Int], gone: [String])] = []
    }

    private func changes(since before: Snapshot) -> Changes {
        var changes = Changes()
        var lists = before.lists
        for (index, entry) in entries.enumerated() {
            guard let old = lists.removeValue(forKey: entry.product) else {
                changes.added.append(index)
                continue
            }
            let new = entry.similar.map(\.product)
            guard new != old else { continue }
            let came = new.indices.filter { !old.contains(new[$0]) }
            changes.changed.append((index, came, old.filter { !new.contains($0) }.map(\.text)))
        }
        changes.removed = lists.keys.sorted().map(\.text)
        return changes
    }

    private func append(_ changes: Changes, to json: inout JSONText) {
        json.open(.object)
        json.beginMember("added")
        json.appendArray(changes.added) { $0.append("\($1)") }
        json.addMember("removed", changes.removed)
        json.beginMember("changed")
        json.appendArray(changes.changed) { json, change in
            json.open(.array)
            json.beginElement()
            json.append("\(change.product)")
            json.beginElement()
            json.appendArray(change.came) { $0.append("\($1)") }
            json.beginElement()
            json.appendArray(change.gone) { $0.append(string: $1) }
            json.close()
        }
        json.close()
    }

    /// What the page before showed.
    private struct Snapshot {
        let time: String
        let content: ArraySlice<UInt8>
        let lists: [ProductID: [ProductID]]

        /// Nil where the bytes are not such data: then there is nothing to compare with.
        init?(_ bytes: [UInt8]) {
            let (start, end) = (Array(Gallery.start.utf8), Array(Gallery.end.utf8))
            guard bytes.starts(with: start), bytes.suffix(end.count).elementsEqual(end),
                let head = bytes.firstIndex(of: UInt8(ascii: "\n")), head < bytes.count - end.count
            else { return nil }
            content = bytes[(head + 1)..<(bytes.count - end.count)]
            // Without the semicolon and the last line's end.
            let object = Data(bytes[start.count..<(bytes.count - 2)])
            guard let data = try? JSONDecoder().decode(Decoded.self, from: object) else { return nil }
            time = data.time
            let products = data.content.products
            lists = Dictionary(
                products.map { product in
                    let similar = product.similar.filter(products.indices.contains)
                    return (ProductID(product.id), similar.map { ProductID(products[$0].id) })
                }, uniquingKeysWith: { first, _ in first })
        }

        private struct Decoded: Decodable {
            struct Content: Decodable {
                let products: [Product]
            }

            struct Product: Decodable {
                let id: String
                let similar: [Int]

                init(from decoder: any Decoder) throws {
                    var fields = try decoder.unkeyedContainer()
                    id = try fields.decode(String.self)
                    _ = try fields.decode([String].self)
                    similar = try fields.decode([[Double]].self).map { Int($0.first ?? -1) }
                }
            }

            let time: String
            let content: Content
        }
    }
}

extension JSONText {
    fileprivate mutating func appendArray<Element>(
        _ elements: some Sequence<Element>, _ append: (inout JSONText, Element) -> Void
    ) {
        open(.array)
        for element in elements {
            beginElement()
            append(&self, element)
        }
        close()
    }
}

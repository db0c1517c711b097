/// Finds the one EXIF value that changes what a photo looks like: its orientation.
///
/// Every read is bounds-checked; anything that does not add up means "upright". Layouts: Exif 2.32 section
/// 4.5 (TIFF header and IFD), JPEG's APP1 segment, PNG's eXIf chunk, WebP's EXIF chunk.
enum EXIF {
    static func orientation(inJPEG bytes: [UInt8]) -> Orientation {
        let file = Reader(bytes[...])
        var position = 2
        while let first = file.u8(position), let marker = file.u8(position + 1) {
            // Stray bytes between segments are passed over, as the decoder does, and fill bytes.
            if first != 0xFF || marker == 0xFF || marker == 0 {
                position += 1
                continue
            }
            // Standalone markers have no length; after start of scan there is no more metadata.
            guard marker != 0xDA, marker != 0xD9, let length = file.u16(position + 2, .big), length >= 2
            else { break }
            if marker == 0xE1, let segment = file.slice(position + 4, length - 2),
                segment.starts(with: "Exif\0\0".utf8)
            {
                return orientation(inTIFF: segment.dropFirst(6))
            }
            position += 2 + length
        }
        return .upright
    }

    static func orientation(inPNG bytes: [UInt8]) -> Orientation {
        let file = Reader(bytes[...])
        var position = 8
        while let length = file.u32(position, .big), let type = file.slice(position + 4, 4) {
            if type.elementsEqual("eXIf".utf8), let chunk = file.slice(position + 8, length) {
                return orientation(inTIFF: chunk)
            }
            position += 12 + length
        }
        return .upright
    }

    static func orientation(inWebP bytes: [UInt8]) -> Orientation {
        let file = Reader(bytes[...])
        var position = 12
        while let type = file.slice(position, 4), let length = file.u32(position + 4, .little) {
            if type.elementsEqual("EXIF".utf8), let chunk = file.slice(position + 8, length) {
                // Some writers repeat JPEG's prefix here.
                return orientation(inTIFF: chunk.starts(with: "Exif\0\0".utf8) ? chunk.dropFirst(6) : chunk)
            }
            position += 8 + length + length % 2
        }
        return .upright
    }

    private static func orientation(inTIFF bytes: ArraySlice<UInt8>) -> Orientation {
        let tiff = Reader(bytes)
        let order: ByteOrder
        switch tiff.u16(0, .big) {
        case 0x4949: order = .little
        case 0x4D4D: order = .big
        default: return .upright
        }
        guard tiff.u16(2, order) == 42, let ifd = tiff.u32(4, order), let count = tiff.u16(ifd, order) else {
            return .upright
        }
        for entry in 0..<count {
            let position = ifd + 2 + entry * 12
            if tiff.u16(position, order) == 0x0112, tiff.u16(position + 2, order) == 3 {
                return tiff.u16(position + 8, order).flatMap { Orientation(rawValue: UInt16($0)) } ?? .upright
            }
        }
        return .upright
    }

    private enum ByteOrder { case big, little }

    private struct Reader {
        let bytes: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

        func u8(_ offset: Int) -> UInt8? {
            offset >= 0 && offset < bytes.count ? bytes[bytes.startIndex + offset] : nil
        }

        func u16(_ offset: Int, _ order: ByteOrder) -> Int? { number(offset, 2, order) }
        func u32(_ offset: Int, _ order: ByteOrder) -> Int? { number(offset, 4, order) }

        func slice(_ offset: Int, _ length: Int) -> ArraySlice<UInt8>? {
            guard offset >= 0, length >= 0, offset <= bytes.count, length <= bytes.count - offset else {
                return nil
            }
            return bytes[(bytes.startIndex + offset)..<(bytes.startIndex + offset + length)]
        }

        private func number(_ offset: Int, _ length: Int, _ order: ByteOrder) -> Int? {
            guard let part = slice(offset, length) else { return nil }
            let ordered = order == .big ? Array(part) : Array(part.reversed())
            return ordered.reduce(0) { $0 << 8 | Int($1) }
        }
    }
}

/// What a file is, by its first bytes.
enum PhotoFormat: Hashable {
    case jpeg, png, webp, gif, avif, heic
    /// Anything else, by the name a person knows it by.
    case other(String?)

    init(of bytes: [UInt8]) {
        func has(_ signature: String, at offset: Int = 0) -> Bool {
            bytes.dropFirst(offset).starts(with: signature.utf8)
        }
        func hasBytes(_ signature: [UInt8]) -> Bool { bytes.starts(with: signature) }

        if hasBytes([0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if hasBytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if has("RIFF") && has("WEBP", at: 8) {
            self = .webp
        } else if has("GIF87a") || has("GIF89a") {
            self = .gif
        } else if has("ftyp", at: 4) {
            self = Self.ofISOMedia(bytes)
        } else if hasBytes([0x49, 0x49, 0x2A, 0x00]) || hasBytes([0x4D, 0x4D, 0x00, 0x2A]) {
            self = .other("TIFF")
        } else if has("BM") {
            self = .other("BMP")
        } else if hasBytes([0xFF, 0x0A]) || hasBytes([0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20]) {
            self = .other("JPEG XL")
        } else if hasBytes([0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20]) || hasBytes([0xFF, 0x4F, 0xFF, 0x51]) {
            self = .other("JPEG 2000")
        } else if has("8BPS") {
            self = .other("Photoshop's PSD")
        } else if has("<svg") || has("<?xml") {
            self = .other("SVG")
        } else if has("<!DOCTYPE html") || has("<html") {
            self = .other("an HTML page")
        } else if has("%PDF") {
            self = .other("PDF")
        } else {
            self = .other(nil)
        }
    }

    /// By the brands of the first box (ISO/IEC 14496-12, 4.3): the first is the file's own, the others say what else it
    /// can be read as.
    private static func ofISOMedia(_ bytes: [UInt8]) -> PhotoFormat {
        let length = bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
        let box = bytes[..<min(max(length, 12), bytes.count, 256)]
        let brands = stride(from: 8, to: box.count - 3, by: 4).filter { $0 != 12 }.map {
            String(decoding: box[$0..<$0 + 4], as: UTF8.self)
        }
        for brand in brands {
            switch brand {
            case "avif", "avis": return .avif
            case "heic", "heix", "heim", "heis", "hevc", "hevx": return .heic
            default: continue
            }
        }
        switch brands.first {
        case "mif1", "msf1": return .heic
        case "crx ": return .other("Canon's CR3")
        default: return .other("MP4 or another video")
        }
    }

    var name: String {
        switch self {
        case .jpeg: "JPEG"
        case .png: "PNG"
        case .webp: "WebP"
        case .gif: "GIF"
        case .avif: "AVIF"
        case .heic: "HEIC"
        case .other(let name): name ?? "unknown"
        }
    }
}

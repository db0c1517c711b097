/// What a file is, by its first bytes.
enum PhotoFormat: Hashable {
    case jpeg, png, webp
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
        } else if has("GIF8") {
            self = .other("GIF")
        } else if hasBytes([0x49, 0x49, 0x2A, 0x00]) || hasBytes([0x4D, 0x4D, 0x00, 0x2A]) {
            self = .other("TIFF")
        } else if has("BM") {
            self = .other("BMP")
        } else if has("ftypavif", at: 4) {
            self = .other("AVIF")
        } else if has("ftyphei", at: 4) || has("ftypmif1", at: 4) {
            self = .other("HEIC")
        } else if has("<svg") || has("<?xml") {
            self = .other("SVG")
        } else if has("%PDF") {
            self = .other("PDF")
        } else {
            self = .other(nil)
        }
    }
}

/// The first bytes of a file.
struct Signature: Sendable {
    let bytes: [UInt8]

    func has(_ signature: [UInt8]) -> Bool { bytes.starts(with: signature) }

    func has(_ signature: String, at offset: Int = 0) -> Bool {
        bytes.dropFirst(offset).starts(with: signature.utf8)
    }

    /// The brands of the first box (ISO/IEC 14496-12, 4.3): the first is the file's own, the others say what else it can be
    /// read as. Empty where it is no such file.
    private var brands: [String] {
        guard has("ftyp", at: 4) else { return [] }
        let length = bytes[..<4].reduce(0) { $0 << 8 | Int($1) }
        let box = bytes[..<min(max(length, 12), bytes.count, 256)]
        return stride(from: 8, to: box.count - 3, by: 4).filter { $0 != 12 }.map {
            String(decoding: box[$0..<$0 + 4], as: UTF8.self)
        }
    }

    enum ISOMedia { case avif, heic }

    /// Nil for anything else.
    var isoMedia: ISOMedia? {
        let brands = brands
        for brand in brands {
            switch brand {
            case "avif", "avis": return .avif
            case "heic", "heix", "heim", "heis", "hevc", "hevx": return .heic
            default: continue
            }
        }
        return ["mif1", "msf1"].contains(brands.first ?? "") ? .heic : nil
    }

    /// What another file of this kind is called; nil where it is none.
    private var isoMediaName: String? {
        guard has("ftyp", at: 4) else { return nil }
        return brands.first == "crx " ? "Canon's CR3" : "MP4 or another video"
    }

    /// What a person calls a file that is not read; nil where it has no name.
    var otherName: String? { Self.others.first { $0.recognises(self) }?.name ?? isoMediaName }

    /// What is not read, and can be named.
    private static let others: [(name: String, recognises: @Sendable (Signature) -> Bool)] = [
        ("TIFF", { $0.has([0x49, 0x49, 0x2A, 0x00]) || $0.has([0x4D, 0x4D, 0x00, 0x2A]) }),
        ("BMP", { $0.has("BM") }),
        ("JPEG XL", { $0.has([0xFF, 0x0A]) || $0.has([0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20]) }),
        (
            "JPEG 2000",
            { $0.has([0, 0, 0, 0x0C, 0x6A, 0x50, 0x20, 0x20]) || $0.has([0xFF, 0x4F, 0xFF, 0x51]) }
        ),
        ("Photoshop's PSD", { $0.has("8BPS") }),
        ("SVG", { $0.has("<svg") || $0.has("<?xml") }),
        ("an HTML page", { $0.has("<!DOCTYPE html") || $0.has("<html") }),
        ("PDF", { $0.has("%PDF") }),
    ]
}

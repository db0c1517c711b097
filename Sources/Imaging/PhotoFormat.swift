/// A format that is read, and all that is known of it. A new one is a row here, a codec in CImageCodecs, and the
/// name of the function that opens it in `PhotoDecoder`.
struct Codec: Sendable {
    let format: PhotoFormat
    /// As a person knows it.
    let name: String
    /// How names of such files usually end.
    let endings: [String]
    /// Whether a file that begins with these bytes is one.
    let recognises: @Sendable (Signature) -> Bool

    static let all = [
        Codec(
            format: .jpeg, name: "JPEG", endings: ["jpg", "jpeg"],
            recognises: { $0.has([0xFF, 0xD8, 0xFF]) }),
        Codec(
            format: .png, name: "PNG", endings: ["png"],
            recognises: { $0.has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) }),
        Codec(
            format: .webp, name: "WebP", endings: ["webp"],
            recognises: { $0.has("RIFF") && $0.has("WEBP", at: 8) }),
        Codec(
            format: .avif, name: "AVIF", endings: ["avif"], recognises: { $0.isoMedia == .avif }),
        Codec(
            format: .heic, name: "HEIC", endings: ["heic", "heif"], recognises: { $0.isoMedia == .heic }),
        Codec(
            format: .gif, name: "GIF", endings: ["gif"], recognises: { $0.has("GIF87a") || $0.has("GIF89a") }),
    ]

    /// The formats, for messages: `JPEG, PNG or GIF`.
    static let names: String = {
        let names = all.map(\.name)
        return names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }()
}

/// What a file is, by its first bytes.
enum PhotoFormat: Hashable {
    case jpeg, png, webp, gif, avif, heic
    /// Anything else, by the name a person knows it by.
    case other(String?)

    init(of bytes: [UInt8]) {
        let signature = Signature(bytes: bytes)
        self =
            Codec.all.first { $0.recognises(signature) }?.format
            ?? .other(Self.others.first { $0.recognises(signature) }?.name ?? signature.isoMediaName)
    }

    var name: String {
        if case .other(let name) = self { return name ?? "unknown" }
        return Codec.all.first { $0.format == self }?.name ?? ""
    }

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

    /// AVIF or HEIC; nil for anything else.
    var isoMedia: PhotoFormat? {
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
    var isoMediaName: String? {
        guard has("ftyp", at: 4) else { return nil }
        return brands.first == "crx " ? "Canon's CR3" : "MP4 or another video"
    }
}

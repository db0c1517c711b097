import CImageCodecs

/// A format that is read, and all that is known of it: a new one is a row here, and a codec in CImageCodecs.
struct Codec: Sendable {
    typealias Open =
        @Sendable (
            UnsafePointer<UInt8>?, Int, UnsafePointer<imgrec_limits>?,
            UnsafeMutablePointer<UnsafeMutablePointer<imgrec_decoder>?>?
        ) -> imgrec_status

    /// As a person knows it.
    let name: String
    /// How names of such files usually end.
    let endings: [String]
    /// What all such files begin with; empty where they have several beginnings.
    let beginning: [UInt8]
    /// Whether a file that has this beginning is one.
    var recognises: @Sendable (Signature) -> Bool = { _ in true }
    let open: Open
    /// How the photo lies, where the decoder does not turn it.
    var orientation: @Sendable ([UInt8]) -> Orientation = { _ in .upright }
    /// Whether it can be decoded at a fraction of its size.
    var isScalable = false

    static let all = [
        Codec(
            name: "JPEG", endings: ["jpg", "jpeg"], beginning: [0xFF, 0xD8, 0xFF], open: imgrec_open_jpeg,
            orientation: EXIF.orientation(inJPEG:), isScalable: true),
        Codec(
            name: "PNG", endings: ["png"], beginning: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A],
            open: imgrec_open_png, orientation: EXIF.orientation(inPNG:)),
        Codec(
            name: "WebP", endings: ["webp"], beginning: Array("RIFF".utf8),
            recognises: { $0.has("WEBP", at: 8) }, open: imgrec_open_webp,
            orientation: EXIF.orientation(inWebP:)),
        Codec(
            name: "AVIF", endings: ["avif"], beginning: [], recognises: { $0.isoMedia == .avif },
            open: imgrec_open_heif),
        Codec(
            name: "HEIC", endings: ["heic", "heif"], beginning: [], recognises: { $0.isoMedia == .heic },
            open: imgrec_open_heif),
        Codec(
            name: "GIF", endings: ["gif"], beginning: Array("GIF8".utf8),
            recognises: { $0.has("7a", at: 4) || $0.has("9a", at: 4) }, open: imgrec_open_gif),
    ]

    /// The codec of a file, by its first bytes.
    ///
    /// - Throws: `ImagingError.unsupported` with the name by which a person knows the format, where it has one.
    static func of(_ bytes: [UInt8]) throws(ImagingError) -> Codec {
        let signature = Signature(bytes: bytes)
        if let codec = all.first(where: { signature.has($0.beginning) && $0.recognises(signature) }) {
            return codec
        }
        throw .unsupported(format: others.first { $0.recognises(signature) }?.name ?? signature.isoMediaName)
    }

    /// The formats, for messages: `JPEG, PNG or GIF`.
    static let names: String = {
        let names = all.map(\.name)
        return names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }()

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
    var isoMediaName: String? {
        guard has("ftyp", at: 4) else { return nil }
        return brands.first == "crx " ? "Canon's CR3" : "MP4 or another video"
    }
}

import CImageCodecs
import CImagingKernels
import Products

// CImageCodecs, and with it each image library, is met here alone.

/// A format that is read, and all that is known of it: a new one is a row here, and its decoder in CImageCodecs.
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
        throw .unsupported(format: signature.otherName)
    }

    /// The formats, for messages: `JPEG, PNG or GIF`.
    static let names: String = {
        let names = all.map(\.name)
        return names.dropLast().joined(separator: ", ") + " or " + names[names.count - 1]
    }()
}

/// A photo whose headers have been read and whose limits have been checked; its pixels have not been touched.
struct PhotoDecoder: ~Copyable {
    private let decoder: UnsafeMutablePointer<imgrec_decoder>
    private let limits: PhotoReader.Limits

    /// Opens a photo for as long as a body runs. The corresponding C functions are `imgrec_open_jpeg` and its like.
    ///
    /// - Throws: `ImagingError` where a limit is exceeded or the headers are damaged; and what the body throws.
    static func withPhoto<Value>(
        _ bytes: [UInt8], _ codec: Codec, limits: PhotoReader.Limits,
        _ body: (borrowing PhotoDecoder) throws(ImagingError) -> Value
    ) throws(ImagingError) -> Value {
        return try bytes.withUnsafeBufferPointer { (buffer) throws(ImagingError) -> Value in
            var decoder: UnsafeMutablePointer<imgrec_decoder>?
            var bounds = imgrec_limits(
                pixels: UInt64(limits.pixels), frames: UInt32(clamping: limits.frames),
                profile_bytes: UInt32(clamping: limits.profileBytes),
                chunk_bytes: UInt32(clamping: limits.metadataBytes))
            let status = codec.open(buffer.baseAddress, buffer.count, &bounds, &decoder)
            guard let decoder else { throw .outOfMemory(width: 0, height: 0) }
            let photo = PhotoDecoder(owning: decoder, limits: limits)
            try photo.check(status)
            return try body(photo)
        }
    }

    private init(owning decoder: UnsafeMutablePointer<imgrec_decoder>, limits: PhotoReader.Limits) {
        self.decoder = decoder
        self.limits = limits
    }

    deinit { imgrec_close(decoder) }

    /// Loads whatever the libraries would load from files on their first use.
    static func prepare() { imgrec_prepare_codecs() }

    // MARK: What the headers say

    private var photo: imgrec_photo { decoder.pointee.photo }

    var width: Int { Int(photo.width) }
    var height: Int { Int(photo.height) }
    var frames: Int { Int(photo.frames) }
    var hasAlpha: Bool { photo.has_alpha != 0 }
    /// Whether pixels come as a person sees them, so that EXIF's orientation is not for them.
    var isUpright: Bool { photo.is_upright != 0 }
    /// Such as "progressive"; empty where there is nothing to tell.
    var variety: String { photo.variety.map { String(cString: $0) } ?? "" }
    var hasBrokenProfile: Bool { photo.has_broken_profile != 0 }
    /// Whether levels are of three colours or of grey, not of inks.
    var isCMYK: Bool { photo.layout == IMGREC_INVERTED_CMYK }

    // MARK: Pixels

    /// What became of colours.
    enum Colours: Hashable {
        case untagged
        case converted(from: String)
        /// The profile means what sRGB means.
        case sRGB(profile: String)
        case broken
    }

    /// The pixels as sRGB with alpha in the fourth byte, not turned yet.
    ///
    /// - Parameter eighths: the fraction to decode at; what is no JPEG is decoded whole.
    borrowing func pixels(eighths: Int) throws(ImagingError) -> (pixels: [UInt8], colours: Colours) {
        let count = Self.scaled(width, eighths) * Self.scaled(height, eighths)
        // Swift ends the process where an array gets no memory.
        guard imgrec_can_allocate(count * Picture.bytesPerPixel) != 0 else {
            throw .outOfMemory(width: width, height: height)
        }
        var status = IMGREC_OK
        // Zeroed: should a decoder leave pixels out, they are nobody else's memory.
        var pixels = [UInt8](repeating: 0, count: count * Picture.bytesPerPixel)
        pixels.withUnsafeMutableBufferPointer {
            status = imgrec_read(decoder, UInt32(eighths), $0.baseAddress)
        }
        try check(status)
        if photo.is_premultiplied != 0 {
            pixels.withUnsafeMutableBufferPointer { imgrec_unpremultiply($0.baseAddress!, count) }
        }
        let colours = convert(&pixels, count)
        return (pixels, colours)
    }

    /// A side decoded at a fraction.
    static func scaled(_ side: Int, _ eighths: Int) -> Int { (side * eighths + 7) / 8 }

    private borrowing func convert(_ pixels: inout [UInt8], _ count: Int) -> Colours {
        var photo = photo
        var colours = Colours.untagged
        if photo.profile != nil || photo.colour_kind != IMGREC_COLOUR_SRGB {
            var name = [CChar](repeating: 0, count: 128)
            let result = pixels.withUnsafeMutableBufferPointer {
                imgrec_to_srgb(&photo, $0.baseAddress, count, &name, name.count)
            }
            let text = String(
                decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            switch result {
            case IMGREC_COLOUR_CONVERTED: return .converted(from: text)
            case IMGREC_COLOUR_IS_SRGB: colours = photo.profile == nil ? .untagged : .sRGB(profile: text)
            default: colours = .broken
            }
        }
        if isCMYK {
            pixels.withUnsafeMutableBufferPointer { imgrec_inverted_cmyk_to_rgb($0.baseAddress!, count) }
        }
        return colours
    }

    private borrowing func check(_ status: imgrec_status) throws(ImagingError) {
        let excess = Int(clamping: photo.excess)
        switch status {
        case IMGREC_OK: return
        case IMGREC_TOO_MANY_PIXELS:
            throw .tooManyPixels(width: width, height: height, pixels: excess, limit: limits.pixels)
        case IMGREC_TOO_MANY_FRAMES: throw .tooManyFrames(count: excess, limit: limits.frames)
        case IMGREC_PROFILE_TOO_LARGE: throw .profileTooLarge(bytes: excess, limit: limits.profileBytes)
        case IMGREC_CHUNK_TOO_LARGE: throw .chunkTooLarge(bytes: excess, limit: limits.metadataBytes)
        case IMGREC_OUT_OF_MEMORY: throw .outOfMemory(width: width, height: height)
        case IMGREC_UNSUPPORTED: throw .unsupported(format: message)
        default: throw .damaged(reason: message)
        }
    }

    private var message: String {
        let text = withUnsafeBytes(of: &decoder.pointee.message) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        // Some libraries end their sentences with a line.
        return String(text.reversed().drop(while: \.isWhitespace).reversed())
    }
}

extension Picture {
    /// The picture as a PNG file; nil where memory runs out. The corresponding C function is `imgrec_write_png`.
    package var png: [UInt8]? {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard imgrec_write_png(pixels, UInt32(width), UInt32(height), &bytes, &count) != 0, let bytes else {
            return nil
        }
        defer { imgrec_free(bytes) }
        return Array(UnsafeBufferPointer(start: bytes, count: count))
    }
}

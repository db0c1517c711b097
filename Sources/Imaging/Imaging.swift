// Imaging: the bytes of a photo in, the upright sRGB picture that a model wants to see out.
//
// The format is told by the content, never by the name. Limits are checked before any pixel is decoded. Colours become
// sRGB by the photo's own profile, transparency lies over a background, orientation is applied, and resampling is
// Pillow's, bit for bit, so a model sees what it saw when it was trained. Whatever is wrong with a photo is an
// `ImagingError` about that photo. A library that this room calls may still crash or hang over a hostile photo: where
// photos come from strangers, it runs in a process of its own (room `Sandbox`).

import CImagingKernels
import Products

/// Reads photos for the networks of one model. Safe to use from several threads at once.
package struct PhotoReader: Codable, Hashable, Sendable {
    /// What is refused before any pixel is decoded.
    package struct Limits: Codable, Hashable, Sendable {
        package var fileBytes: Int
        package var pixels: Int
        /// Of an animation, of which the first is read.
        package var frames: Int
        /// Of a colour profile, unpacked.
        package var profileBytes: Int
        /// Of any other single part of a file that is not pixels.
        package var metadataBytes: Int

        package init(
            fileBytes: Int, pixels: Int, frames: Int = 1000, profileBytes: Int = 8 << 20,
            metadataBytes: Int = 8 << 20
        ) {
            self.fileBytes = fileBytes
            self.pixels = pixels
            self.frames = frames
            self.profileBytes = profileBytes
            self.metadataBytes = metadataBytes
        }
    }

    /// What a photo is and what was made of it.
    package struct Reading: Hashable, Sendable {
        /// One of each shape, in their order.
        package let pictures: [Picture]
        /// Of what was made for the first.
        package let description: PhotoDescription

        package init(pictures: [Picture], description: PhotoDescription) {
            self.pictures = pictures
            self.description = description
        }

        /// Those of all pictures, one after another.
        package var pixels: [UInt8] {
            pictures.count == 1 ? pictures[0].pixels : pictures.flatMap(\.pixels)
        }
    }

    /// Counts changes of this room that change pixels: vectors made by another version are not comparable.
    package static let version = 2

    /// How many times as long as wide a photo may be: the filters' weights grow with it.
    private static let narrowest = 10_000

    /// The pictures that are wanted of each photo; at least one.
    package let shapes: [PictureShape]
    package let limits: Limits
    /// Whether a large JPEG may be decoded at a fraction of its size, which is several times as fast and changes the
    /// picture by a few levels.
    package let mayScale: Bool

    package init(shapes: [PictureShape], limits: Limits, mayScale: Bool = true) {
        precondition(!shapes.isEmpty)
        self.shapes = shapes
        self.limits = limits
        self.mayScale = mayScale
    }

    /// A reader for one network.
    package init(shape: PictureShape, limits: Limits, mayScale: Bool = true) {
        self.init(shapes: [shape], limits: limits, mayScale: mayScale)
    }

    /// Loads what the image libraries would load from files later, when there may be none.
    package static func prepare() { PhotoDecoder.prepare() }

    /// The pictures that the networks see of a photo, each exactly of its shape's size, and what the photo is.
    ///
    /// - Parameter bytes: the whole file.
    package func read(_ bytes: [UInt8]) throws(ImagingError) -> Reading {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= limits.fileBytes else {
            throw .fileTooLarge(bytes: bytes.count, limit: limits.fileBytes)
        }
        var decodings = try Decodings(bytes)
        var pictures: [Picture] = []
        var first: PhotoDescription?
        for shape in shapes {
            let (picture, description) = try picture(of: shape, &decodings)
            pictures.append(picture)
            first = first ?? description
        }
        guard let first else { preconditionFailure("a reader without a shape") }
        return Reading(pictures: pictures, description: first)
    }

    /// The picture of the first shape.
    package func picture(from bytes: [UInt8]) throws(ImagingError) -> Picture { try read(bytes).pictures[0] }

    /// What was decoded of one photo: shapes that want the same fraction of its size share it.
    private struct Decodings {
        struct Key: Hashable {
            let eighths: Int
            let background: PictureShape.Colour
        }

        let bytes: [UInt8]
        let codec: Codec
        let orientation: Orientation
        var done: [Key: (raster: Raster, description: PhotoDescription)] = [:]

        /// - Throws: `ImagingError.unsupported`.
        init(_ bytes: [UInt8]) throws(ImagingError) {
            self.bytes = bytes
            codec = try Codec.of(bytes)
            orientation = codec.orientation(bytes)
        }
    }

    private func picture(
        of shape: PictureShape, _ decodings: inout Decodings
    ) throws(ImagingError) -> (Picture, PhotoDescription) {
        let mayScale = mayScale && decodings.codec.isScalable
        var (raster, description) = try decode(
            &decodings, shape, DecodingScale(for: shape, isFree: mayScale))
        if let trim = shape.trim, let box = raster.box(inside: trim) {
            // What is left of a scaled picture may be too small: then the photo is decoded once more, larger.
            let wanted = DecodingScale(
                for: shape, isFree: mayScale,
                keeping: (
                    Double(box.width) / Double(raster.width), Double(box.height) / Double(raster.height)
                )
            )
            let first = description.eighths
            if first < 8, wanted.eighths(of: description) > first {
                (raster, description) = try decode(&decodings, shape, wanted)
            }
            let again = description.eighths == first ? box : raster.box(inside: trim) ?? raster.whole
            description.trimmed = again.scaled(by: 8 / Double(description.eighths))
            raster = raster.cropped(to: again)
        }
        return (raster.resampled(to: shape), description)
    }

    /// An upright, opaque raster.
    private func decode(
        _ decodings: inout Decodings, _ shape: PictureShape, _ scale: DecodingScale
    ) throws(ImagingError) -> (Raster, PhotoDescription) {
        if let known = decodings.done.values.first?.description {
            let key = Decodings.Key(eighths: scale.eighths(of: known), background: shape.background)
            if let done = decodings.done[key] { return done }
        }
        let (bytes, codec, turn) = (decodings.bytes, decodings.codec, decodings.orientation)
        let decoded: (Raster, PhotoDescription) = try PhotoDecoder.withPhoto(bytes, codec, limits: limits) {
            (photo) throws(ImagingError) in
            guard max(photo.width, photo.height) <= Self.narrowest * min(photo.width, photo.height) else {
                throw .tooNarrow(width: photo.width, height: photo.height)
            }
            let orientation = photo.isUpright ? .upright : turn
            var description = PhotoDescription(format: codec.name, photo, orientation)
            description.eighths = scale.eighths(of: description)
            var (pixels, colours) = try photo.pixels(eighths: description.eighths)
            description.note(colours, isProfileIncomplete: photo.hasBrokenProfile)
            if photo.hasAlpha {
                let background = [shape.background.red, shape.background.green, shape.background.blue]
                let count = pixels.count / Picture.bytesPerPixel
                pixels.withUnsafeMutableBufferPointer { imgrec_composite($0.baseAddress!, count, background) }
            }
            let raster = Raster(
                pixels: pixels, width: PhotoDecoder.scaled(photo.width, description.eighths),
                height: PhotoDecoder.scaled(photo.height, description.eighths), fullWidth: photo.width,
                fullHeight: photo.height, scale: Double(description.eighths) / 8, orientation: orientation)
            return (raster.upright(), description)
        }
        let key = Decodings.Key(eighths: decoded.1.eighths, background: shape.background)
        if shapes.count > 1 { decodings.done[key] = decoded }
        return decoded
    }
}

/// The fraction that a photo is decoded at.
///
/// The smallest at which both sides are at least twice what they are resized to: less would lose detail that the
/// resampling filter still sees. `nearest` looks at single pixels, and gets them all.
struct DecodingScale {
    private let shape: PictureShape
    private let isFree: Bool
    /// Other fractions take libjpeg-turbo longer than the next of these: it has them without vector instructions.
    private static let fast = [1, 2, 4, 8]
    /// Which share of each side of the upright photo is resized, the rest being cut off.
    private let kept: (width: Double, height: Double)

    /// - Parameter isFree: whether the format, and whoever reads, allow another fraction than the whole.
    init(for shape: PictureShape, isFree: Bool, keeping kept: (width: Double, height: Double) = (1, 1)) {
        self.shape = shape
        self.isFree = isFree && shape.filter != .nearest
        self.kept = kept
    }

    func eighths(of photo: PhotoDescription) -> Int { eighths(ofWidth: photo.width, height: photo.height) }

    /// - Parameters: the size of the photo when it is upright.
    func eighths(ofWidth fullWidth: Int, height fullHeight: Int) -> Int {
        guard isFree else { return 8 }
        let width = max(1, Int(Double(fullWidth) * kept.width))
        let height = max(1, Int(Double(fullHeight) * kept.height))
        let target = FitGeometry(fullWidth: width, fullHeight: height, shape: shape)
        return Self.fast.first {
            PhotoDecoder.scaled(width, $0) >= 2 * target.resizedWidth
                && PhotoDecoder.scaled(height, $0) >= 2 * target.resizedHeight
        } ?? 8
    }
}

// Imaging: the bytes of a photo in, the upright sRGB picture that a model wants to see out.
//
// The format is told by the content, never by the name. Limits are checked before any pixel is decoded. Colours become
// sRGB by the photo's own profile, transparency lies over a background, orientation is applied, and resampling is
// Pillow's, bit for bit, so a model sees what it saw when it was trained. Whatever is wrong with a photo is an
// `ImagingError` about that photo. A library that this room calls may still crash or hang over a hostile photo: where
// photos come from strangers, it runs in a process of its own (room `Sandbox`).

import CImagingKernels
import Products

/// Reads photos for one model. Safe to use from several threads at once.
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
        package let picture: Picture
        package let description: PhotoDescription

        package init(picture: Picture, description: PhotoDescription) {
            self.picture = picture
            self.description = description
        }
    }

    /// Counts changes of this room that change pixels: vectors made by another version are not comparable.
    package static let version = 2

    /// How many times as long as wide a photo may be: the filters' weights grow with it.
    private static let narrowest = 10_000

    package let shape: PictureShape
    package let limits: Limits
    /// Whether a large JPEG may be decoded at a fraction of its size, which is several times as fast and changes the
    /// picture by a few levels.
    package let mayScale: Bool

    package init(shape: PictureShape, limits: Limits, mayScale: Bool = true) {
        self.shape = shape
        self.limits = limits
        self.mayScale = mayScale
    }

    /// Loads what the image libraries would load from files later, when there may be none.
    package static func prepare() { PhotoDecoder.prepare() }

    /// The picture that the model sees of a photo: exactly `shape.width` x `shape.height` pixels.
    ///
    /// - Parameter bytes: the whole file.
    package func picture(from bytes: [UInt8]) throws(ImagingError) -> Picture {
        try read(bytes).picture
    }

    /// The same, with what the photo is.
    package func read(_ bytes: [UInt8]) throws(ImagingError) -> Reading {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= limits.fileBytes else {
            throw .fileTooLarge(bytes: bytes.count, limit: limits.fileBytes)
        }
        let format = PhotoFormat(of: bytes)
        let orientation = EXIF.orientation(in: bytes, format)
        var (raster, description) = try decode(bytes, format, orientation, DecodingScale(for: self, format))
        if let trim = shape.trim, let box = raster.box(inside: trim) {
            // What is left of a scaled picture may be too small: then the photo is decoded once more, larger.
            let wanted = DecodingScale(
                for: self, format,
                keeping: (
                    Double(box.width) / Double(raster.width), Double(box.height) / Double(raster.height)
                )
            )
            let first = description.eighths
            if first < 8, wanted.eighths(of: description) > first {
                (raster, description) = try decode(bytes, format, orientation, wanted)
            }
            let again = description.eighths == first ? box : raster.box(inside: trim) ?? raster.whole
            description.trimmed = again.scaled(by: 8 / Double(description.eighths))
            raster = raster.cropped(to: again)
        }
        return Reading(picture: raster.resampled(to: shape), description: description)
    }

    /// An upright, opaque raster.
    private func decode(
        _ bytes: [UInt8], _ format: PhotoFormat, _ orientation: Orientation, _ scale: DecodingScale
    ) throws(ImagingError) -> (Raster, PhotoDescription) {
        try PhotoDecoder.withPhoto(bytes, format, limits: limits) { (photo) throws(ImagingError) in
            guard max(photo.width, photo.height) <= Self.narrowest * min(photo.width, photo.height) else {
                throw .tooNarrow(width: photo.width, height: photo.height)
            }
            let orientation = photo.isUpright ? .upright : orientation
            var description = PhotoDescription(format: format.name, photo, orientation)
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

    init(
        for reader: PhotoReader, _ format: PhotoFormat, keeping kept: (width: Double, height: Double) = (1, 1)
    ) {
        shape = reader.shape
        isFree = format == .jpeg && reader.mayScale && reader.shape.filter != .nearest
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

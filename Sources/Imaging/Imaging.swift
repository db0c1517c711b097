// Imaging: the bytes of a photo in, the upright sRGB picture that a model wants to see out.
//
// The format is told by the content, never by the name. JPEG is decoded at the smallest scale that is still
// twice the size it is resized to; orientation is applied; transparency lies over white; resampling is
// Pillow's, bit for bit, so a model sees what it saw when it was trained. Whatever is wrong with a photo is
// an `ImagingError` about that photo; nothing here crashes, waits or writes.

import Products

/// Reads photos for one model. Safe to use from several threads at once.
package struct PhotoReader: Sendable {
    /// What is refused before any pixel is decoded.
    package struct Limits: Hashable, Sendable {
        package var fileBytes: Int
        package var pixels: Int

        package init(fileBytes: Int, pixels: Int) {
            self.fileBytes = fileBytes
            self.pixels = pixels
        }
    }

    /// Counts changes of this room that change pixels: vectors made by another version are not comparable.
    package static let version = 1

    package let shape: PictureShape
    package let limits: Limits

    package init(shape: PictureShape, limits: Limits) {
        self.shape = shape
        self.limits = limits
    }

    /// The picture that the model sees of a photo.
    ///
    /// - Parameter bytes: the whole file.
    /// - Returns: exactly `shape.width` x `shape.height` pixels.
    package func picture(from bytes: [UInt8]) throws(ImagingError) -> Picture {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= limits.fileBytes else {
            throw .fileTooLarge(bytes: bytes.count, limit: limits.fileBytes)
        }
        let raster = try decode(bytes)
        return raster.upright().resampled(to: shape)
    }

    private func decode(_ bytes: [UInt8]) throws(ImagingError) -> Raster {
        switch PhotoFormat(of: bytes) {
        case .jpeg: try JPEGDecoder.decode(bytes, limits: limits, shape: shape)
        case .png: try PNGDecoder.decode(bytes, limits: limits)
        case .webp: try WebPDecoder.decode(bytes, limits: limits)
        case .other(let name): throw .unsupported(format: name)
        }
    }
}

extension PhotoReader.Limits {
    func check(width: Int, height: Int) throws(ImagingError) {
        guard width > 0, height > 0 else { throw .damaged(reason: "it claims \(width) x \(height) pixels") }
        guard width.multipliedReportingOverflow(by: height).overflow == false, width * height <= pixels else {
            throw .tooManyPixels(width: width, height: height, limit: pixels)
        }
    }
}

import CImagingKernels
import CWebP
import Products

// libwebp is met here alone.

/// Decodes still WebP: lossy, lossless, with transparency.
enum WebPDecoder {
    static func decode(_ bytes: [UInt8], limits: PhotoReader.Limits) throws(ImagingError) -> Raster {
        var features = WebPBitstreamFeatures()
        guard WebPGetFeatures(bytes, bytes.count, &features) == VP8_STATUS_OK else {
            throw .damaged(reason: "its header cannot be read")
        }
        guard features.has_animation == 0 else { throw .unsupported(format: "animated WebP") }
        let (width, height) = (Int(features.width), Int(features.height))
        try limits.check(width: width, height: height)
        let size = width * height * Picture.bytesPerPixel
        var isRead = false
        let pixels = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            isRead =
                WebPDecodeRGBAInto(
                    bytes, bytes.count, buffer.baseAddress, size, Int32(width * Picture.bytesPerPixel)) != nil
            if isRead && features.has_alpha != 0 {
                imgrec_composite(buffer.baseAddress!, width * height, 255)
            }
            count = size
        }
        guard isRead else { throw .damaged(reason: "its pixels cannot be decoded") }
        return Raster(
            pixels: pixels, width: width, height: height, fullWidth: width, fullHeight: height,
            orientation: EXIF.orientation(inWebP: bytes))
    }
}

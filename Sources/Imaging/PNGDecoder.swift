import CImagingKernels
import CPNG
import Products

// libpng is met here alone, through its simplified API, which keeps longjmp inside C.

/// Decodes PNG: every colour type and depth, interlaced, with transparency.
enum PNGDecoder {
    static func decode(_ bytes: [UInt8], limits: PhotoReader.Limits) throws(ImagingError) -> Raster {
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        defer { png_image_free(&image) }
        let result: Result<Raster, ImagingError> = bytes.withUnsafeBytes { file in
            guard png_image_begin_read_from_memory(&image, file.baseAddress, file.count) != 0 else {
                return .failure(.damaged(reason: message(of: &image)))
            }
            let (width, height) = (Int(image.width), Int(image.height))
            do throws(ImagingError) {
                try limits.check(width: width, height: height)
            } catch {
                return .failure(error)
            }
            // 16-bit samples are sRGB like those of 8 bits unless the file says otherwise; libpng would take
            // them for linear light.
            image.flags |= png_uint_32(PNG_IMAGE_FLAG_16BIT_sRGB)
            image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA)
            let size = width * height * Picture.bytesPerPixel
            var isRead = false
            let pixels = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                isRead = png_image_finish_read(&image, nil, buffer.baseAddress, 0, nil) != 0
                if isRead { imgrec_composite(buffer.baseAddress!, width * height, background) }
                count = size
            }
            guard isRead else { return .failure(.damaged(reason: message(of: &image))) }
            return .success(
                Raster(
                    pixels: pixels, width: width, height: height, fullWidth: width, fullHeight: height,
                    orientation: EXIF.orientation(inPNG: bytes)))
        }
        return try result.get()
    }

    /// White: what lies under transparency.
    private static let background: UInt8 = 255

    private static func message(of image: inout png_image) -> String {
        withUnsafeBytes(of: &image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

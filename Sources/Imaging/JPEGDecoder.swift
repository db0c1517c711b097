import CImagingKernels
import CTurboJPEG
import Products

// libjpeg-turbo is met here alone. Its handle-based API keeps libjpeg's longjmp inside C.

/// Decodes JPEG: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK.
enum JPEGDecoder {
    static func decode(_ bytes: [UInt8], limits: PhotoReader.Limits, shape: PictureShape) throws(ImagingError)
        -> Raster
    {
        guard let decompressor = Decompressor() else { throw .outOfMemory(width: 0, height: 0) }
        let header = try decompressor.header(of: bytes)
        try limits.check(width: header.width, height: header.height)

        let orientation = EXIF.orientation(inJPEG: bytes)
        let scale = ScalingFactor.smallest(
            for: shape, width: header.width, height: header.height, orientation: orientation)
        let (width, height) = (scale.applied(to: header.width), scale.applied(to: header.height))
        var pixels = try decompressor.pixels(of: bytes, width: width, height: height, isCMYK: header.isCMYK)
        if header.isCMYK {
            // Photoshop, and libjpeg-turbo's other readers, take every four-colour JPEG for Adobe's inverted one.
            pixels.withUnsafeMutableBufferPointer {
                imgrec_inverted_cmyk_to_rgb($0.baseAddress!, $0.count / Picture.bytesPerPixel)
            }
        }
        return Raster(
            pixels: pixels, width: width, height: height, fullWidth: header.width, fullHeight: header.height,
            scale: scale.value, orientation: orientation)
    }
}

/// A fraction that libjpeg-turbo can decode at: `tjscalingfactor`.
struct ScalingFactor: Hashable {
    let numerator: Int
    let denominator: Int

    var value: Double { Double(numerator) / Double(denominator) }

    /// The scaled size of a side, rounded up: the corresponding C macro is `TJSCALED`.
    func applied(to side: Int) -> Int {
        (side * numerator + denominator - 1) / denominator
    }

    /// The smallest scale at which both sides are at least twice what they are resized to; less would lose
    /// detail that the resampling filter still sees.
    static func smallest(for shape: PictureShape, width: Int, height: Int, orientation: Orientation)
        -> ScalingFactor
    {
        let upright = orientation.swapsSides ? (height, width) : (width, height)
        let target = CropGeometry(fullWidth: upright.0, fullHeight: upright.1, shape: shape)
        let wanted =
            orientation.swapsSides
            ? (target.resizedHeight, target.resizedWidth) : (target.resizedWidth, target.resizedHeight)
        return available.first {
            $0.applied(to: width) >= 2 * wanted.0 && $0.applied(to: height) >= 2 * wanted.1
        }
            ?? ScalingFactor(numerator: 1, denominator: 1)
    }

    /// Those that shrink, the smallest first.
    private static let available: [ScalingFactor] = {
        var count: Int32 = 0
        let factors = UnsafeBufferPointer(start: tjGetScalingFactors(&count), count: Int(count))
        return factors.map { ScalingFactor(numerator: Int($0.num), denominator: Int($0.denom)) }
            .filter { $0.value <= 1 }
            .sorted { $0.value < $1.value }
    }()
}

/// Owns a TurboJPEG handle and frees it once.
private struct Decompressor: ~Copyable {
    private let handle: tjhandle

    init?() {
        guard let handle = tjInitDecompress() else { return nil }
        self.handle = handle
    }

    deinit { tjDestroy(handle) }

    /// The corresponding C function is `tjDecompressHeader3`.
    func header(of bytes: [UInt8]) throws(ImagingError) -> (width: Int, height: Int, isCMYK: Bool) {
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var colorspace: Int32 = 0
        let status = tjDecompressHeader3(
            handle, bytes, UInt(bytes.count), &width, &height, &subsampling, &colorspace)
        guard status == 0 else { throw .damaged(reason: message) }
        let isCMYK = colorspace == Int32(TJCS_CMYK.rawValue) || colorspace == Int32(TJCS_YCCK.rawValue)
        return (Int(width), Int(height), isCMYK)
    }

    /// The corresponding C function is `tjDecompress2`. Four bytes a pixel.
    func pixels(of bytes: [UInt8], width: Int, height: Int, isCMYK: Bool) throws(ImagingError) -> [UInt8] {
        let size = width * height * Picture.bytesPerPixel
        let format = isCMYK ? TJPF_CMYK : TJPF_RGBX
        var status: Int32 = 0
        let pixels = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            status = tjDecompress2(
                handle, bytes, UInt(bytes.count), buffer.baseAddress, Int32(width), 0, Int32(height),
                Int32(format.rawValue), TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS)
            count = size
        }
        if status != 0 && !isHarmless { throw .damaged(reason: message) }
        return pixels
    }

    private var message: String { String(cString: tjGetErrorStr2(handle)) }

    /// Whether the last complaint is one that costs no pixel: stray bytes between segments, which some
    /// cameras and editors leave and every browser passes over.
    private var isHarmless: Bool {
        tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue)
            && message.contains("extraneous bytes before marker")
    }
}

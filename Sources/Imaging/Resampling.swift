import CImagingKernels
import Glibc
import Products

// Resampling as Pillow computes it (Pillow 13, src/libImaging/Resample.c): a separable filter, rows first,
// then columns, each rounded to a byte; the kernel is widened by the factor that the picture shrinks by.
// Only what the crop keeps is computed, which changes no pixel of it.

extension Raster {
    /// The picture of this shape. The raster must be upright.
    func resampled(to shape: PictureShape) -> Picture {
        let target = CropGeometry(fullWidth: fullWidth, fullHeight: fullHeight, shape: shape)
        let columns = Taps(
            inSize: width, inExtent: Double(fullWidth) * scale,
            outSize: target.resizedWidth, kept: target.left..<target.left + shape.width, filter: shape.filter)
        let rows = Taps(
            inSize: height, inExtent: Double(fullHeight) * scale,
            outSize: target.resizedHeight, kept: target.top..<target.top + shape.height, filter: shape.filter)

        // Only the source rows that some kept output row needs go through the first pass.
        let needed = rows.span
        let half = [UInt8](unsafeUninitializedCapacity: shape.width * needed.count * 4) { result, count in
            pixels.withUnsafeBufferPointer { source in
                imgrec_resample_rows(
                    source.baseAddress! + needed.lowerBound * width * 4, width, needed.count,
                    result.baseAddress!,
                    shape.width, columns.first, columns.count, columns.coefficients, columns.taps)
            }
            count = shape.width * needed.count * 4
        }
        let shifted = rows.first.map { $0 - Int32(needed.lowerBound) }
        let picture = [UInt8](unsafeUninitializedCapacity: shape.width * shape.height * 4) { result, count in
            imgrec_resample_columns(
                half, shape.width, result.baseAddress!, shape.height, shifted, rows.count, rows.coefficients,
                rows.taps)
            count = shape.width * shape.height * 4
        }
        return Picture(width: shape.width, height: shape.height, pixels: picture)
    }
}

/// The size a photo is resized to, and the part of that which is kept.
///
/// The long side is cut down to a whole pixel and the crop's offset rounded half to even, as torchvision's
/// `Resize` and `CenterCrop` do, with which such models are trained and measured.
struct CropGeometry: Hashable {
    let resizedWidth: Int
    let resizedHeight: Int
    let left: Int
    let top: Int

    init(fullWidth: Int, fullHeight: Int, shape: PictureShape) {
        switch shape.fit {
        case .stretch:
            (resizedWidth, resizedHeight) = (shape.width, shape.height)
        case .crop(let shortSide):
            let short = min(fullWidth, fullHeight)
            resizedWidth = max(shape.width, shortSide * fullWidth / short)
            resizedHeight = max(shape.height, shortSide * fullHeight / short)
        }
        left = Int((Double(resizedWidth - shape.width) / 2).rounded(.toNearestOrEven))
        top = Int((Double(resizedHeight - shape.height) / 2).rounded(.toNearestOrEven))
    }
}

/// The weights of one pass.
private struct Taps {
    /// The most taps that an output position has.
    let taps: Int
    let first: [Int32]
    let count: [Int32]
    let coefficients: [Int32]

    /// The source positions that are used at all.
    var span: Range<Int> {
        let end = zip(first, count).map { Int($0 + $1) }.max()!
        return Int(first.min()!)..<end
    }

    /// - Parameters:
    ///   - inSize: pixels of the source.
    ///   - inExtent: how many of them the whole photo covers; a little under `inSize` where a scaled decode
    ///     rounded up.
    ///   - outSize: pixels of the whole resized side.
    ///   - kept: which of them are wanted.
    init(inSize: Int, inExtent: Double, outSize: Int, kept: Range<Int>, filter: PictureShape.Filter) {
        let scale = inExtent / Double(outSize)
        let filterScale = max(scale, 1)
        let support = filter.support * filterScale
        let perPixel = 1 / filterScale
        let taps = Int(support.rounded(.up)) * 2 + 1
        var first: [Int32] = []
        var count: [Int32] = []
        var coefficients = [Int32](repeating: 0, count: taps * kept.count)
        var weights: [Double] = []
        for (row, position) in kept.enumerated() {
            let center = (Double(position) + 0.5) * scale
            let low = max(Int(center - support + 0.5), 0)
            let high = min(Int(center + support + 0.5), inSize)
            weights.removeAll(keepingCapacity: true)
            var sum = 0.0
            for source in low..<high {
                let weight = filter.weight(at: (Double(source) - center + 0.5) * perPixel)
                weights.append(weight)
                sum += weight
            }
            for (tap, weight) in weights.enumerated() {
                let scaled = weight / sum * Double(1 << IMGREC_COEFFICIENT_BITS)
                coefficients[row * taps + tap] = Int32(scaled + (scaled < 0 ? -0.5 : 0.5))
            }
            first.append(Int32(low))
            count.append(Int32(high - low))
        }
        (self.taps, self.first, self.count, self.coefficients) = (taps, first, count, coefficients)
    }
}

extension PictureShape.Filter {
    /// How far the kernel reaches to each side, in pixels of the smaller picture.
    fileprivate var support: Double {
        switch self {
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    fileprivate func weight(at offset: Double) -> Double {
        let x = abs(offset)
        switch self {
        case .bilinear:
            return x < 1 ? 1 - x : 0
        case .bicubic:
            // Keys' cubic with a = -0.5.
            let a = -0.5
            if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
            if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
            return 0
        case .lanczos:
            return x < 3 ? sinc(x) * sinc(x / 3) : 0
        }
    }

    private func sinc(_ x: Double) -> Double {
        x == 0 ? 1 : sin(x * .pi) / (x * .pi)
    }
}

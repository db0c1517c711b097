import CImagingKernels
import Glibc
import Products

// Resampling as Pillow computes it (src/libImaging/Resample.c): a separable filter, rows first, then columns, each rounded to
// a byte; the kernel is widened by the factor that the picture shrinks by; and `nearest`, which takes single pixels. Pillow 13
// begins with the columns where these shrink much more, which moves some levels; models were trained with rows first.
// Only what the crop keeps is computed, which changes no pixel of it.

extension Raster {
    /// The picture of this shape. The raster must be upright.
    func resampled(to shape: PictureShape) -> Picture {
        let target = FitGeometry(fullWidth: fullWidth, fullHeight: fullHeight, shape: shape)
        let kept = shape.filter == .nearest ? nearest(target) : filtered(target, shape.filter)
        guard kept.width < shape.width || kept.height < shape.height else { return kept }
        return kept.padded(to: shape, left: target.padLeft, top: target.padTop)
    }

    /// The level of one pixel each, at the positions that Pillow takes (src/libImaging/Geometry.c, ImagingScaleAffine):
    /// steps are added up, which decides where a position falls between two pixels.
    private func nearest(_ target: FitGeometry) -> Picture {
        func positions(_ side: Int, _ resized: Int, _ kept: Range<Int>) -> [Int] {
            let step = Double(side) / Double(resized)
            var position = step * 0.5
            return (0..<kept.upperBound).map { _ in
                defer { position += step }
                return min(Int(position), side - 1)
            }.suffix(kept.count)
        }
        let columns = positions(width, target.resizedWidth, target.columns)
        let rows = positions(height, target.resizedHeight, target.rows)
        var result: [UInt8] = []
        result.reserveCapacity(columns.count * rows.count * Picture.bytesPerPixel)
        for y in rows {
            for x in columns {
                result += pixels[((y * width + x) * 4)..<((y * width + x) * 4 + 4)]
            }
        }
        return Picture(width: columns.count, height: rows.count, pixels: result)
    }

    private func filtered(_ target: FitGeometry, _ filter: PictureShape.Filter) -> Picture {
        let (keptWidth, keptHeight) = (target.columns.count, target.rows.count)
        let columns = Taps(
            inSize: width, inExtent: Double(fullWidth) * scale, outSize: target.resizedWidth,
            kept: target.columns, filter: filter)
        let rows = Taps(
            inSize: height, inExtent: Double(fullHeight) * scale, outSize: target.resizedHeight,
            kept: target.rows, filter: filter)

        // Only the source rows that some kept output row needs go through the first pass.
        let needed = rows.span
        let half = [UInt8](unsafeUninitializedCapacity: keptWidth * needed.count * 4) { result, count in
            pixels.withUnsafeBufferPointer { source in
                imgrec_resample_rows(
                    source.baseAddress! + needed.lowerBound * width * 4, width, needed.count,
                    result.baseAddress!,
                    keptWidth, columns.first, columns.count, columns.coefficients, columns.taps)
            }
            count = keptWidth * needed.count * 4
        }
        let shifted = rows.first.map { $0 - Int32(needed.lowerBound) }
        let picture = [UInt8](unsafeUninitializedCapacity: keptWidth * keptHeight * 4) { result, count in
            imgrec_resample_columns(
                half, keptWidth, result.baseAddress!, keptHeight, shifted, rows.count, rows.coefficients,
                rows.taps)
            count = keptWidth * keptHeight * 4
        }
        return Picture(width: keptWidth, height: keptHeight, pixels: picture)
    }
}

extension Picture {
    /// The picture in the middle of a larger one, which has the colour of its border: of all pixels at its edge the
    /// median of each channel.
    fileprivate func padded(to shape: PictureShape, left: Int, top: Int) -> Picture {
        let border = pixels.withUnsafeBufferPointer { imgrec_border_colour($0.baseAddress!, width, height) }
        let colour = [border.red, border.green, border.blue, 255]
        var result: [UInt8] = []
        result.reserveCapacity(shape.width * shape.height * Picture.bytesPerPixel)
        for y in 0..<shape.height {
            for x in 0..<shape.width {
                let (column, row) = (x - left, y - top)
                if column >= 0, column < width, row >= 0, row < height {
                    result += pixels[((row * width + column) * 4)..<((row * width + column) * 4 + 4)]
                } else {
                    result += colour
                }
            }
        }
        return Picture(width: shape.width, height: shape.height, pixels: result)
    }
}

/// The size a photo is resized to, the part of that which is kept, and where that lies in the picture.
///
/// For `crop` the long side is cut down to a whole pixel and the crop's offset rounded half to even, as torchvision's
/// `Resize` and `CenterCrop` do, with which such models are trained and measured. `pad` is Pillow's `ImageOps.pad`.
struct FitGeometry: Hashable {
    let resizedWidth: Int
    let resizedHeight: Int
    /// Of the resized photo, what is kept.
    let columns: Range<Int>
    let rows: Range<Int>
    let padLeft: Int
    let padTop: Int

    init(fullWidth: Int, fullHeight: Int, shape: PictureShape) {
        func half(_ pixels: Int) -> Int { Int((Double(pixels) / 2).rounded(.toNearestOrEven)) }
        switch shape.fit {
        case .pad:
            func resized(_ side: Int, _ other: Int, to size: Int) -> Int {
                max(1, Int((Double(side) / Double(other) * Double(size)).rounded(.toNearestOrEven)))
            }
            let isWide = Double(fullWidth) / Double(fullHeight) > Double(shape.width) / Double(shape.height)
            resizedWidth =
                isWide ? shape.width : min(shape.width, resized(fullWidth, fullHeight, to: shape.height))
            resizedHeight =
                isWide ? min(shape.height, resized(fullHeight, fullWidth, to: shape.width)) : shape.height
        case .stretch:
            (resizedWidth, resizedHeight) = (shape.width, shape.height)
        case .crop(let shortSide):
            let short = min(fullWidth, fullHeight)
            resizedWidth = max(shape.width, shortSide * fullWidth / short)
            resizedHeight = max(shape.height, shortSide * fullHeight / short)
        }
        let left = half(max(0, resizedWidth - shape.width))
        let top = half(max(0, resizedHeight - shape.height))
        columns = left..<left + min(shape.width, resizedWidth)
        rows = top..<top + min(shape.height, resizedHeight)
        padLeft = half(shape.width - columns.count)
        padTop = half(shape.height - rows.count)
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
        case .nearest: 0.5
        case .bilinear: 1
        case .bicubic: 2
        case .lanczos: 3
        }
    }

    fileprivate func weight(at offset: Double) -> Double {
        let x = abs(offset)
        switch self {
        case .nearest:
            return x < 0.5 ? 1 : 0
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

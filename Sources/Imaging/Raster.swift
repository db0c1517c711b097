import CImagingKernels
import Products

/// A decoded photo: pixels as they are stored, before orientation.
struct Raster {
    /// Four bytes a pixel: red, green, blue, unused; row by row without padding.
    var pixels: [UInt8]
    var width: Int
    var height: Int
    /// The size of the photo in the file.
    var fullWidth: Int
    var fullHeight: Int
    /// What the photo was decoded at: `width` is `fullWidth * scale` rounded up.
    var scale: Double = 1
    var orientation: Orientation = .upright
}

extension Raster {
    /// The same photo with its orientation applied.
    func upright() -> Raster {
        guard orientation != .upright else { return self }
        let turned = orientation.swapsSides
        let newWidth = turned ? height : width
        let newHeight = turned ? width : height
        let (originX, originY, stepX, stepY) = orientation.walk(width: width, height: height)
        let result = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            pixels.withUnsafeBytes { source in
                let target = UnsafeMutableRawBufferPointer(target)
                var offset = 0
                for y in 0..<newHeight {
                    var position = originX + originY * width + y * stepY
                    for _ in 0..<newWidth {
                        let pixel = source.loadUnaligned(fromByteOffset: position * 4, as: UInt32.self)
                        target.storeBytes(of: pixel, toByteOffset: offset, as: UInt32.self)
                        offset += 4
                        position += stepX
                    }
                }
            }
            count = pixels.count
        }
        return Raster(
            pixels: result, width: newWidth, height: newHeight,
            fullWidth: turned ? fullHeight : fullWidth, fullHeight: turned ? fullWidth : fullHeight,
            scale: scale)
    }
}

// MARK: Borders

extension Raster {
    var whole: PhotoDescription.Box { PhotoDescription.Box(left: 0, top: 0, width: width, height: height) }

    /// What is left when a uniform border is cut off, with its margin. Nil where there is none, or nothing else.
    ///
    /// Border is what lies, seen from a side, before the first row or column with a pixel whose colour differs from that
    /// of the photo's edge; that is the median of each channel over all pixels at the edge.
    func box(inside trim: PictureShape.Trim) -> PhotoDescription.Box? {
        let found = pixels.withUnsafeBufferPointer {
            imgrec_content_box($0.baseAddress!, width, height, Int32(trim.tolerance))
        }
        guard found.width > 0, found.height > 0 else { return nil }
        let margin = Int((trim.margin * Double(max(found.width, found.height))).rounded(.up))
        let left = max(0, Int(found.left) - margin)
        let top = max(0, Int(found.top) - margin)
        let right = min(width, Int(found.left + found.width) + margin)
        let bottom = min(height, Int(found.top + found.height) + margin)
        let box = PhotoDescription.Box(left: left, top: top, width: right - left, height: bottom - top)
        return box == whole ? nil : box
    }

    /// A part of an upright raster, as a photo of its own.
    func cropped(to box: PhotoDescription.Box) -> Raster {
        var kept: [UInt8] = []
        kept.reserveCapacity(box.width * box.height * Picture.bytesPerPixel)
        for y in box.top..<box.top + box.height {
            let start = (y * width + box.left) * Picture.bytesPerPixel
            kept += pixels[start..<start + box.width * Picture.bytesPerPixel]
        }
        return Raster(
            pixels: kept, width: box.width, height: box.height, fullWidth: box.width, fullHeight: box.height)
    }
}

/// How a stored photo is turned to be upright: the values of EXIF's tag 0x0112 (Exif 2.32, 4.6.4).
enum Orientation: UInt16 {
    case upright = 1
    case mirrored = 2
    case turned180 = 3
    case flipped = 4
    case transposed = 5
    case turned90Clockwise = 6
    case transversed = 7
    case turned90CounterClockwise = 8

    var swapsSides: Bool { rawValue >= 5 }

    /// Where the upright picture's first pixel lies in the stored one, and how many stored pixels further its
    /// next column and next row are.
    func walk(width: Int, height: Int) -> (originX: Int, originY: Int, stepX: Int, stepY: Int) {
        switch self {
        case .upright: (0, 0, 1, width)
        case .mirrored: (width - 1, 0, -1, width)
        case .turned180: (width - 1, height - 1, -1, -width)
        case .flipped: (0, height - 1, 1, -width)
        case .transposed: (0, 0, width, 1)
        case .turned90Clockwise: (0, height - 1, -width, 1)
        case .transversed: (width - 1, height - 1, -width, -1)
        case .turned90CounterClockwise: (width - 1, 0, width, -1)
        }
    }
}

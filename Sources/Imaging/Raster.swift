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

import Products

/// A picture that is made by rule, on which a model's golden values are measured: red grows to the right, green downwards,
/// and blue is a chequerboard. It is read as any photo is, so that a model's resizing counts too.
package enum TestCard {
    package static let (width, height) = (320, 240)
    /// The side of the chequerboard's squares, in pixels.
    private static let square = 16

    package static var picture: Picture {
        var pixels: [UInt8] = []
        pixels.reserveCapacity(width * height * Picture.bytesPerPixel)
        for y in 0..<height {
            for x in 0..<width {
                pixels += [
                    UInt8(x * 255 / (width - 1)), UInt8(y * 255 / (height - 1)),
                    (x / square + y / square) % 2 == 0 ? 0 : 255, 255,
                ]
            }
        }
        return Picture(width: width, height: height, pixels: pixels)
    }
}

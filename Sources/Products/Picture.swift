/// Upright sRGB pixels: what a photo looks like, whatever it was stored as.
package struct Picture: Hashable, Sendable {
    package let width: Int
    package let height: Int
    /// `width * height` pixels, row by row from the top left, four bytes each: red, green, blue, unused.
    package let pixels: [UInt8]

    package static let bytesPerPixel = 4

    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(pixels.count == width * height * Self.bytesPerPixel)
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}

/// The picture that a model wants to see: a size, and how a photo of another shape comes to it.
package struct PictureShape: Hashable, Sendable {
    package enum Filter: String, Hashable, Sendable, CaseIterable {
        /// The kernels as Pillow computes them: widened when shrinking, so that nothing aliases.
        case bilinear, bicubic, lanczos
    }

    package enum Fit: Hashable, Sendable {
        /// The short side becomes `shortSide` pixels, then the centre is cut out.
        case crop(shortSide: Int)
        /// Both sides become the size, whatever the proportions.
        case stretch
    }

    package let width: Int
    package let height: Int
    package let fit: Fit
    package let filter: Filter

    package init(width: Int, height: Int, fit: Fit, filter: Filter) {
        self.width = width
        self.height = height
        self.fit = fit
        self.filter = filter
    }
}

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
package struct PictureShape: Codable, Hashable, Sendable {
    package enum Filter: String, Codable, Hashable, Sendable, CaseIterable {
        /// The level of the nearest pixel; nothing is averaged.
        case nearest
        /// The kernels as Pillow computes them: widened when shrinking, so that nothing aliases.
        case bilinear, bicubic, lanczos
    }

    package enum Fit: Codable, Hashable, Sendable {
        /// The short side becomes `shortSide` pixels, then the centre is cut out.
        case crop(shortSide: Int)
        /// The long side becomes the size; what is left over on both sides has the colour of the photo's own border.
        case pad
        /// Both sides become the size, whatever the proportions.
        case stretch
    }

    /// Cutting off a uniform border, as studio shots have, before anything else.
    package struct Trim: Codable, Hashable, Sendable {
        /// How far a level may be from the border's colour and still be border.
        package let tolerance: Int
        /// How much border stays on each side, as a share of the longer side of what is not border.
        package let margin: Double

        package init(tolerance: Int, margin: Double) {
            self.tolerance = tolerance
            self.margin = margin
        }

        /// Passes over what JPEG leaves in a white border; a photo keeps a little of it, as photos of models have.
        package static let usual = Trim(tolerance: 16, margin: 0.05)
    }

    package struct Colour: Codable, Hashable, Sendable {
        package let red: UInt8
        package let green: UInt8
        package let blue: UInt8

        package init(red: UInt8, green: UInt8, blue: UInt8) {
            self.red = red
            self.green = green
            self.blue = blue
        }

        package static let white = Colour(red: 255, green: 255, blue: 255)
    }

    package var width: Int
    package var height: Int
    package var fit: Fit
    package var filter: Filter
    package var trim: Trim?
    /// What lies under transparent pixels.
    package var background: Colour

    package init(
        width: Int, height: Int, fit: Fit, filter: Filter, trim: Trim? = nil, background: Colour = .white
    ) {
        self.width = width
        self.height = height
        self.fit = fit
        self.filter = filter
        self.trim = trim
        self.background = background
    }
}

extension PictureShape: CustomStringConvertible {
    /// All that pixels depend on, in words: `224 x 224, crop of 256, bicubic`.
    package var description: String {
        var text = "\(width) x \(height), "
        switch fit {
        case .crop(let shortSide): text += "crop of \(shortSide)"
        case .pad: text += "pad"
        case .stretch: text += "stretch"
        }
        text += ", \(filter.rawValue)"
        if let trim { text += ", trim \(trim.tolerance) \(trim.margin)" }
        if background != .white { text += ", on \(background)" }
        return text
    }
}

extension PictureShape.Colour: CustomStringConvertible {
    /// As in CSS: `#ffffff`.
    package var description: String {
        "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil where it is not `#` and six hexadecimal digits.
    package init?(_ text: String) {
        guard text.utf8.count == 7, text.hasPrefix("#"),
            text.dropFirst().allSatisfy({ $0.isHexDigit && $0.isASCII }),
            let number = UInt32(text.dropFirst(), radix: 16)
        else { return nil }
        self.init(
            red: UInt8(number >> 16), green: UInt8(number >> 8 & 0xFF), blue: UInt8(number & 0xFF))
    }
}

/// What a photo was found to be.
package struct PhotoDescription: Codable, Hashable, Sendable {
    /// By its content: `JPEG`.
    package let format: String
    /// `progressive`, `lossless`; empty where there is nothing to tell.
    package let variety: String
    /// Of the photo when it is upright.
    package let width: Int
    package let height: Int
    package let frames: Int
    package let hasAlpha: Bool
    /// EXIF's number, 1 for upright.
    package let orientation: Int
    /// The name of the profile that colours were converted from, or that means sRGB; nil where there is none.
    package internal(set) var profile: String?
    /// The fraction it was decoded at.
    package internal(set) var eighths = 8
    /// What is left of it without its border, in its own pixels; nil where nothing was cut off.
    package internal(set) var trimmed: Box?
    /// What is not as it should be and did no harm.
    package var notes: [String] = []

    package struct Box: Codable, Hashable, Sendable {
        package let left: Int
        package let top: Int
        package let width: Int
        package let height: Int

        package init(left: Int, top: Int, width: Int, height: Int) {
            self.left = left
            self.top = top
            self.width = width
            self.height = height
        }

        func scaled(by factor: Double) -> Box {
            func scaled(_ side: Int) -> Int { Int((Double(side) * factor).rounded()) }
            return Box(left: scaled(left), top: scaled(top), width: scaled(width), height: scaled(height))
        }
    }

    init(format: String, _ photo: borrowing PhotoDecoder, _ orientation: Orientation) {
        self.format = format
        variety = photo.variety
        width = orientation.swapsSides ? photo.height : photo.width
        height = orientation.swapsSides ? photo.width : photo.height
        frames = photo.frames
        hasAlpha = photo.hasAlpha
        self.orientation = Int(orientation.rawValue)
    }

    mutating func note(_ colours: PhotoDecoder.Colours, isProfileIncomplete: Bool) {
        switch colours {
        case .untagged: break
        case .converted(let name), .sRGB(let name): profile = name.isEmpty ? "without a name" : name
        case .broken:
            notes.append("its colour profile is broken or of another kind of picture, and was ignored")
        }
        if isProfileIncomplete { notes.append("its colour profile cannot be read and was ignored") }
    }
}

/// Why a photo cannot be read. It concerns that photo only.
package enum ImagingError: Error, Codable, Hashable, CustomStringConvertible {
    case empty
    case unsupported(format: String?)
    case damaged(reason: String)
    case fileTooLarge(bytes: Int, limit: Int)
    /// - pixels: width times height.
    case tooManyPixels(width: Int, height: Int, pixels: Int, limit: Int)
    case tooManyFrames(count: Int, limit: Int)
    case profileTooLarge(bytes: Int, limit: Int)
    case chunkTooLarge(bytes: Int, limit: Int)
    case outOfMemory(width: Int, height: Int)
    /// So much longer than wide, or the reverse, that nothing of it could be seen.
    case tooNarrow(width: Int, height: Int)

    package static let supportedFormats = Codec.names

    package var description: String {
        switch self {
        case .empty:
            "the file is empty; copy the photo again"
        case .unsupported(let format?):
            "\(format) is not supported; convert it to \(Self.supportedFormats)"
        case .unsupported(nil):
            "this is not a picture in a format that is known; it has to be \(Self.supportedFormats)"
        case .damaged(let reason):
            "the picture is damaged (\(reason)); copy or export it again"
        case .fileTooLarge(let bytes, let limit):
            "the file has \(bytes) bytes, more than images.max_file_bytes = \(limit); make it smaller or raise the limit"
        case .tooManyPixels(let width, let height, let pixels, let limit):
            "it has \(width) x \(height) pixels\(width.multipliedReportingOverflow(by: height) == (pixels, false) ? "" : ", and \(pixels) before it is cut"), more than images.max_pixels = \(limit); make it smaller or raise the limit"
        case .tooManyFrames(let count, let limit):
            "it is an animation of \(count) frames or more, and images.max_frames = \(limit); export one frame or raise the limit"
        case .profileTooLarge(let bytes, let limit):
            "its colour profile has \(bytes) bytes, more than images.max_profile_bytes = \(limit); export it with another profile or raise the limit"
        case .chunkTooLarge(let bytes, let limit):
            "it has \(bytes) bytes of metadata in one piece, more than images.max_metadata_bytes = \(limit); export it without or raise the limit"
        case .tooNarrow(let width, let height):
            "it is \(width) x \(height) pixels, too narrow to see anything on; cut it to another shape"
        case .outOfMemory(let width, let height):
            "decoding \(width) x \(height) pixels takes more memory than workers.memory_bytes allows; make it smaller or raise the limit"
        }
    }
}

/// Why a photo cannot be read. It concerns that photo only.
package enum ImagingError: Error, Hashable, CustomStringConvertible {
    case empty
    case unsupported(format: String?)
    case damaged(reason: String)
    case fileTooLarge(bytes: Int, limit: Int)
    case tooManyPixels(width: Int, height: Int, limit: Int)
    case outOfMemory(width: Int, height: Int)

    package var description: String {
        switch self {
        case .empty:
            "the file is empty; copy the photo again"
        case .unsupported(let format?):
            "\(format) is not supported; convert it to JPEG, PNG or WebP"
        case .unsupported(nil):
            "this is not a picture in a format that is known; JPEG, PNG and WebP are"
        case .damaged(let reason):
            "the picture is damaged (\(reason)); copy or export it again"
        case .fileTooLarge(let bytes, let limit):
            "the file has \(bytes) bytes, more than images.max_file_bytes = \(limit); make it smaller or raise the limit"
        case .tooManyPixels(let width, let height, let limit):
            "it has \(width) x \(height) pixels, more than images.max_pixels = \(limit); make it smaller or raise the limit"
        case .outOfMemory(let width, let height):
            "there is not enough memory to decode \(width) x \(height) pixels"
        }
    }
}

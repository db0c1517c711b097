import Foundation
import Imaging
import Products
import Sandbox

/// What a worker is told first.
struct WorkerSetup: Codable {
    let reader: PhotoReader
    let limits: WorkerLimits
    let isContained: Bool

    init(reader: PhotoReader, limits: WorkerLimits, isContained: Bool) {
        self.reader = reader
        self.limits = limits
        self.isContained = isContained
    }

    init?(_ bytes: [UInt8]) {
        guard let setup = try? JSONDecoder().decode(Self.self, from: Data(bytes)) else { return nil }
        self = setup
    }

    var bytes: [UInt8] { encoded(self) }
}

/// What a worker says of a photo. The picture comes beside it.
enum ReadingReply: Codable, Hashable {
    case read(PhotoDescription)
    case failed(ImagingError)

    /// Takes a message for what it is; its sender may have been taken over.
    init(_ message: [UInt8]) throws(WorkerFailure) {
        guard let reply = try? JSONDecoder().decode(Self.self, from: Data(message)) else { throw .nonsense }
        self = reply
    }

    var bytes: [UInt8] { encoded(self) }

    /// - Parameter output: the pixels, of which any are possible ones.
    func result(
        _ output: [UInt8], shape: PictureShape
    ) throws(WorkerFailure) -> Result<PhotoReader.Reading, ImagingError> {
        switch self {
        case .failed(.damaged(let reason)): return .failure(.damaged(reason: Self.shortened(reason)))
        case .failed(.unsupported(let format)):
            return .failure(.unsupported(format: format.map(Self.shortened)))
        case .failed(let error): return .failure(error)
        case .read(var description):
            description.notes = description.notes.prefix(Self.mostNotes).map(Self.shortened)
            guard output.count == shape.pictureBytes else { throw .nonsense }
            let picture = Picture(width: shape.width, height: shape.height, pixels: output)
            return .success(PhotoReader.Reading(picture: picture, description: description))
        }
    }
}

extension ReadingReply {
    private static let mostNotes = 8
    private static let longestText = 300

    /// Words that go into the catalogue and the log are no longer than a sentence.
    private static func shortened(_ text: String) -> String { String(text.prefix(longestText)) }
}

extension PictureShape {
    var pictureBytes: Int { width * height * Picture.bytesPerPixel }
}

/// As JSON. These types hold nothing that it cannot say.
private func encoded(_ value: some Encodable) -> [UInt8] {
    do { return Array(try JSONEncoder().encode(value)) } catch {
        preconditionFailure("a plain value cannot be encoded: \(error)")
    }
}

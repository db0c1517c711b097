import Foundation
import Imaging
import Products
import Sandbox

/// What a worker is told first.
struct WorkerSetup: Codable {
    let reader: PhotoReader
    let limits: WorkerLimits
    let isContained: Bool
    /// Whether it describes each photo, or only those of which there is something to note.
    let describesAll: Bool

    init(reader: PhotoReader, limits: WorkerLimits, isContained: Bool, describesAll: Bool) {
        self.reader = reader
        self.limits = limits
        self.isContained = isContained
        self.describesAll = describesAll
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
    /// A photo of which there is nothing to note.
    case unremarkable
    case failed(ImagingError)

    /// Takes a message for what it is; its sender may have been taken over.
    init(_ message: [UInt8]) throws(WorkerFailure) {
        if message == Self.nothingToNote {
            self = .unremarkable
            return
        }
        guard let reply = try? JSONDecoder().decode(Self.self, from: Data(message)) else { throw .nonsense }
        self = reply
    }

    var bytes: [UInt8] { self == .unremarkable ? Self.nothingToNote : encoded(self) }

    /// Said of most photos, and so without JSON: that would take a tenth of the time that a small photo takes.
    private static let nothingToNote = [UInt8(ascii: "k")]

    /// - Parameter output: the pixels, of which any are possible ones.
    func result(
        _ output: [UInt8], shapes: [PictureShape]
    ) throws(WorkerFailure) -> Result<PhotoWorkers.Reading, ImagingError> {
        switch self {
        case .failed(.damaged(let reason)): return .failure(.damaged(reason: Self.shortened(reason)))
        case .failed(.unsupported(let format)):
            return .failure(.unsupported(format: format.map(Self.shortened)))
        case .failed(let error): return .failure(error)
        case .unremarkable: return .success(try reading(output, shapes, nil))
        case .read(var description):
            description.notes = description.notes.prefix(Self.mostNotes).map(Self.shortened)
            return .success(try reading(output, shapes, description))
        }
    }

    private func reading(
        _ output: [UInt8], _ shapes: [PictureShape], _ description: PhotoDescription?
    ) throws(WorkerFailure) -> PhotoWorkers.Reading {
        guard output.count == shapes.reduce(0, { $0 + $1.pictureBytes }) else { throw .nonsense }
        var rest = output[...]
        let pictures = shapes.map { shape in
            let pixels = shapes.count == 1 ? output : Array(rest.prefix(shape.pictureBytes))
            rest = rest.dropFirst(shape.pictureBytes)
            return Picture(width: shape.width, height: shape.height, pixels: pixels)
        }
        return PhotoWorkers.Reading(pictures: pictures, description: description)
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

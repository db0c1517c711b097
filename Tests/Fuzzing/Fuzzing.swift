import Foundation
import Products

@testable import Imaging
@testable import PhotoReading
@testable import Sandbox

// What libFuzzer calls (https://llvm.org/docs/LibFuzzer.html). Built by Scripts/fuzz alone, which names the target in the
// environment. Whatever the bytes are, each returns: a crash, a leak or a hang is a finding.

/// What bytes are thrown at.
private enum FuzzTarget {
    case photo(Codec)
    /// The reading of EXIF and of containers, and the telling of formats, without a decoder.
    case metadata
    /// What the agent makes of a worker's words.
    case `protocol`

    private static let all: [String: FuzzTarget] = {
        var all: [String: FuzzTarget] = ["metadata": .metadata, "protocol": .protocol]
        for codec in Codec.all { all[codec.endings[0]] = .photo(codec) }
        return all
    }()

    static let current: FuzzTarget = {
        let name = ProcessInfo.processInfo.environment["IMGREC_FUZZ_TARGET"] ?? ""
        guard let target = all[name] else {
            // Scripts/fuzz asks for the names in this way.
            print(all.keys.sorted().joined(separator: " "))
            exit(name.isEmpty ? 0 : 64)
        }
        return target
    }()

    /// Whether there is one: what is wrong with its name is said before libFuzzer begins.
    static func find() { _ = current }

    private static let limits = PhotoReader.Limits(
        fileBytes: 1 << 20, pixels: 1 << 20, frames: 100, profileBytes: 1 << 16, metadataBytes: 1 << 16)

    /// Every step that a photo can take: scaled and whole, each fit, trimming, transparency.
    private static let readers: [PhotoReader] = [
        PictureShape(width: 24, height: 16, fit: .crop(shortSide: 32), filter: .bicubic),
        PictureShape(width: 24, height: 16, fit: .pad, filter: .lanczos, trim: .usual),
        PictureShape(width: 24, height: 16, fit: .stretch, filter: .nearest),
    ].map { PhotoReader(shape: $0, limits: limits) }

    func run(_ bytes: [UInt8]) {
        switch self {
        case .photo(let codec): read(bytes, as: codec.beginning)
        case .metadata:
            _ = try? Codec.of(bytes)
            for codec in Codec.all { precondition((1...8).contains(codec.orientation(bytes).rawValue)) }
        case .protocol:
            // What is taken for something means the same when it is said again.
            let greeting = WorkerGreeting(bytes)
            if case .contained = greeting { precondition(WorkerGreeting(greeting.bytes) == greeting) }
            if let number = Message.number(bytes) { precondition(Message.number(number) == bytes) }
            if let setup = WorkerSetup(bytes) {
                precondition(WorkerSetup(setup.bytes)?.reader == setup.reader)
            }
            if let reply = try? ReadingReply(bytes) {
                precondition((try? ReadingReply(reply.bytes)) == reply)
                if case .failed(let error) = reply { precondition(!error.description.isEmpty) }
                let shape = PictureShape(width: 2, height: 2, fit: .stretch, filter: .nearest)
                for count in [0, 15, 16] {
                    let output = [UInt8](repeating: 0, count: count)
                    if case .success(let reading)? = try? reply.result(output, shapes: [shape]) {
                        precondition(count == 16 && reading.pictures[0].pixels == output)
                    }
                }
            }
        }
    }

    /// - Parameter signature: put in front, so that few bytes are spent on finding it.
    private func read(_ bytes: [UInt8], as signature: [UInt8]) {
        let photo = signature + bytes.dropFirst(signature.count)
        let index = Int(photo.last ?? 0) % Self.readers.count
        guard let picture = try? Self.readers[index].picture(from: photo) else { return }
        precondition(picture.width == 24 && picture.height == 16)
    }
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>?,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> CInt {
    FuzzTarget.find()
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTarget.current.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

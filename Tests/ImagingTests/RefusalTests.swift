import Foundation
import Products
import Settings
import TestSupport
import Testing

@testable import Imaging

private let shape = PictureShape(width: 224, height: 224, fit: .crop(shortSide: 256), filter: .bicubic)

@Suite("Photos that cannot be read")
struct RefusalTests {
    private func read(_ bytes: [UInt8], limits: PhotoReader.Limits = generous) throws(ImagingError) -> Picture
    {
        try PhotoReader(shape: shape, limits: limits).picture(from: bytes)
    }

    @Test("what is cut off is damaged")
    func truncated() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(Repository.fixtures)/broken")
            .filter {
                $0.hasPrefix("half-") || $0.hasPrefix("header-only-")
            }
        for codec in Codec.all {
            for start in ["half-", "header-only-"] {
                #expect(
                    names.contains { name in
                        name.hasPrefix(start) && codec.endings.contains { name.hasSuffix(".\($0)") }
                    }, "\(codec.name) has no file that is cut off: \(start)")
            }
        }
        for name in names {
            let bytes = try Repository.fixture("broken/\(name)")
            #expect("\(name)") { try read(bytes) } throws: {
                if case .damaged = $0 as? ImagingError { true } else { false }
            }
        }
    }

    @Test("what is no photo says so by name")
    func unsupported() throws {
        #expect(throws: ImagingError.unsupported(format: "BMP")) {
            try read(try Repository.fixture("broken/old.bmp"))
        }
        #expect(throws: ImagingError.unsupported(format: "TIFF")) {
            try read(try Repository.fixture("broken/scan.tiff"))
        }
        #expect(throws: ImagingError.unsupported(format: nil)) {
            try read(try Repository.fixture("broken/noise.jpg"))
        }
        #expect(throws: ImagingError.empty) { try read([]) }
        #expect(
            "\(ImagingError.unsupported(format: "TIFF"))".hasPrefix(
                "TIFF is not supported; convert it to JPEG"))
    }

    @Test("limits are checked before pixels are decoded")
    func limits() throws {
        let bytes = try Repository.fixture("imaging/small.png")
        #expect(throws: ImagingError.tooManyPixels(width: 90, height: 120, pixels: 10_800, limit: 10_799)) {
            try read(bytes, limits: .init(fileBytes: 1 << 20, pixels: 10_799))
        }
        #expect(throws: ImagingError.fileTooLarge(bytes: bytes.count, limit: bytes.count - 1)) {
            try read(bytes, limits: .init(fileBytes: bytes.count - 1, pixels: 10_800))
        }
        #expect(try read(bytes, limits: .init(fileBytes: bytes.count, pixels: 10_800)).width == 224)
    }

    @Test("limits of frames, profiles and metadata are checked too")
    func otherLimits() throws {
        var limits = generous
        limits.frames = 39
        limits.profileBytes = 65_536
        limits.metadataBytes = 65_536
        for name in ["frames.gif", "frames.webp", "frames.png"] {
            let bytes = try Repository.fixture("broken/\(name)")
            #expect(throws: ImagingError.tooManyFrames(count: 40, limit: 39)) {
                try read(bytes, limits: limits)
            }
            #expect(try PhotoReader(shape: shape, limits: generous).read(bytes).description.frames == 40)
        }
        #expect {
            try read(try Repository.fixture("broken/large-profile.jpg"), limits: limits)
        } throws: {
            if case .profileTooLarge(100_466..., 65_536) = $0 as? ImagingError { true } else { false }
        }
        for name in ["large-text.png", "large-exif.webp"] {
            #expect {
                try read(try Repository.fixture("broken/\(name)"), limits: limits)
            } throws: {
                if case .chunkTooLarge(100_000..., 65_536) = $0 as? ImagingError { true } else { false }
            }
        }
        for name in ["large-profile.jpg", "large-text.png", "large-exif.webp"] {
            _ = try read(try Repository.fixture("broken/\(name)"))
        }
    }

    @Test("a picture that is all length is refused")
    func narrow() throws {
        #expect(throws: ImagingError.tooNarrow(width: 20_001, height: 1)) {
            try read(try Repository.fixture("broken/line.png"))
        }
    }

    @Test("orientation is found behind stray bytes")
    func stray() throws {
        let bytes = try Repository.fixture("imaging/orientation-6.jpg")
        // Between the first segment and the others.
        let end = 4 + (Int(bytes[4]) << 8 | Int(bytes[5]))
        let stray = bytes[..<end] + [1, 2, 3, 0xFF, 0] + bytes[end...]
        let reading = try PhotoReader(shape: shape, limits: generous).read(Array(stray))
        #expect(reading.description.orientation == 6)
        #expect(reading.pictures[0] == (try read(bytes)))
    }

    @Test("a profile in a PNG that would unpack to too much is refused")
    func largeProfile() throws {
        var limits = generous
        limits.profileBytes = 65_536
        #expect {
            try read(try Repository.fixture("broken/large-profile.png"), limits: limits)
        } throws: {
            if case .profileTooLarge(65_537..., 65_536) = $0 as? ImagingError { true } else { false }
        }
        _ = try read(try Repository.fixture("broken/large-profile.png"))
    }

    @Test("what unpacks to a lot is not unpacked")
    func packed() throws {
        _ = try read(try Repository.fixture("broken/text-bomb.png"))
        #expect {
            try read(try Repository.fixture("broken/profile-bomb.png"))
        } throws: {
            // Counted to a little beyond the limit, not to the 50 MB that there are.
            if case .profileTooLarge(..<9_000_000, 8_388_608) = $0 as? ImagingError { true } else { false }
        }
    }

    @Test("a file that claims 60000 x 60000 pixels costs no more than its header")
    func cheap() throws {
        var bytes = try Repository.fixture("imaging/grey.jpg")
        let frame = try #require(
            zip(bytes, bytes.dropFirst()).enumerated().first { $1 == (0xFF, 0xC0) }
        ).offset
        for index in [frame + 5, frame + 7] { (bytes[index], bytes[index + 1]) = (0xEA, 0x60) }
        let read = { try PhotoReader(shape: shape, limits: generous).picture(from: bytes) }
        #expect(
            throws: ImagingError.tooManyPixels(
                width: 60_000, height: 60_000, pixels: 3_600_000_000, limit: generous.pixels),
            performing: read)
        // Beside the same photo, decoded.
        let whole = try Repository.fixture("imaging/grey.jpg")
        func time(_ body: () -> Void) -> Duration {
            (0..<20).map { _ in ContinuousClock().measure(body) }.min()!
        }
        let refusal = time { _ = try? read() }
        let decoding = time { _ = try? PhotoReader(shape: shape, limits: generous).picture(from: whole) }
        print("refusing 60000 x 60000 pixels: \(refusal), decoding the photo itself: \(decoding)")
        #expect(refusal * 10 < decoding)
    }

    @Test(
        "a profile that is broken, of another kind or in pieces is passed over with a note",
        arguments: [
            ("broken-profile.jpg", 1), ("wrong-profile.jpg", 1), ("broken-profile.png", 1), ("p3.png", 0),
            ("srgb.jpg", 0), ("adobe-rgb.jpg", 0),
        ])
    func notes(name: String, count: Int) throws {
        let reading = try PhotoReader(shape: shape, limits: generous).read(
            try Repository.fixture("imaging/\(name)"))
        #expect(reading.description.notes.count == count)
        #expect((reading.description.profile == nil) == (count == 1))
    }

    @Test(
        "a small file that claims to be huge is refused, in each format",
        arguments: [
            "grey.jpg", "rgb.png", "lossless.webp", "plain.gif", "straight.gif", "plain.avif", "plain.heic",
        ])
    func bombs(name: String) throws {
        var bytes = try Repository.fixture("imaging/\(name)")
        switch name {
        case "grey.jpg":
            let frame = try #require(
                zip(bytes, bytes.dropFirst()).enumerated().first { $1.0 == 0xFF && $1.1 == 0xC0 }
            ).offset
            for index in 5..<9 { bytes[frame + index] = 0xF0 }
        case "rgb.png":
            // Width and height of IHDR, and its checksum.
            for index in [16, 20] {
                bytes[index] = 0
                bytes[index + 1] = 1
            }
            let crc = crc32(bytes[12..<29])
            for index in 0..<4 {
                bytes[29 + index] = UInt8(truncatingIfNeeded: crc >> (24 - 8 * UInt32(index)))
            }
        case "plain.gif":
            for index in 6..<10 { bytes[index] = 0xFF }
        case "straight.gif":
            // A small canvas, and on it a frame that is huge.
            let frame = try #require(
                bytes.indices.first {
                    bytes[$0] == 0x2C && bytes[($0 + 1)...].starts(with: [0, 0, 0, 0, 90, 0, 120, 0])
                })
            for index in frame + 5..<frame + 9 { bytes[index] = 0xFF }
        case "plain.avif", "plain.heic":
            // Every size that the boxes claim (ISO/IEC 23008-12, 6.5.3).
            let sizes = bytes.indices.filter { bytes[$0...].starts(with: "ispe".utf8) }
            try #require(!sizes.isEmpty)
            for box in sizes {
                for index in [box + 10, box + 14] { (bytes[index], bytes[index + 1]) = (0xEA, 0x60) }
            }
        default:
            // VP8L: 14 bits each for width and height after the signature byte.
            for index in 21..<24 { bytes[index] = 0xFF }
            bytes[24] |= 0x0F
        }
        #expect { try read(bytes) } throws: {
            if case .tooManyPixels = $0 as? ImagingError { true } else { false }
        }
    }

    @Test(
        "damage anywhere in a file never crashes",
        arguments: [
            "photo-0.jpg", "progressive.jpg", "orientation-6.jpg", "palette-transparent.png",
            "orientation-6.png", "lossy.webp", "orientation-6.webp", "animated.webp", "animated.gif",
            "p3.png",
            "p3-in-chunks.jpg", "cmyk-profile.jpg", "plain.avif", "plain.heic",
        ])
    func fuzz(name: String) throws {
        let whole = try Repository.fixture("imaging/\(name)")
        var random = SeededRandom(seed: UInt64(whole.count))
        for _ in 0..<60 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                // Headers are at the start, and are where lengths and offsets are.
                let end = Bool.random(using: &random) ? min(400, bytes.count) : bytes.count
                bytes[Int.random(in: 0..<end, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) {
                bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random))
            }
            let picture = try? read(bytes, limits: .init(fileBytes: 1 << 30, pixels: 4_000_000))
            #expect(picture.map { $0.width == 224 } ?? true)
        }
    }

    /// PNG's checksum (W3C PNG, annex D).
    private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var crc = UInt32.max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 {
                let shifted: UInt32 = crc >> 1
                crc = crc & 1 == 1 ? shifted ^ 0xEDB8_8320 : shifted
            }
        }
        return ~crc
    }
}

@Suite("Reading a photo's file")
struct PhotoFileTests {
    @Test("gives the bytes and the stamp that they belong to")
    func bytes() throws {
        let folder = try TemporaryFolder()
        try folder.write("a/b.jpg", [1, 2, 3])
        let (bytes, stamp) = try PhotoFile.read(try #require(ImagePath("a/b.jpg")), in: folder.path, limit: 3)
        #expect(bytes == [1, 2, 3] && stamp.bytes == 3)
    }

    @Test("what is no regular file is not opened")
    func irregular() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/link.jpg", withDestinationPath: "/etc/passwd")
        #expect(mkfifo("\(folder.path)/pipe.jpg", 0o644) == 0)
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/folder.jpg", withIntermediateDirectories: true)
        // A socket, whose address has room for 107 bytes.
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = "\(folder.path)/socket.jpg"
        try #require(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(isBound == 0)
        for name in ["link.jpg", "pipe.jpg", "folder.jpg", "socket.jpg"] {
            #expect(throws: PhotoFileError.notAFile) {
                try PhotoFile.read(ImagePath(name)!, in: folder.path, limit: 100)
            }
        }
        #expect(throws: PhotoFileError.vanished) {
            try PhotoFile.read(ImagePath("gone.jpg")!, in: folder.path, limit: 100)
        }
        #expect(throws: PhotoFileError.vanished) {
            try PhotoFile.read(ImagePath("pipe.jpg/x.jpg")!, in: folder.path, limit: 100)
        }
    }

    @Test("a file over the limit is not read")
    func limit() throws {
        let folder = try TemporaryFolder()
        try folder.write("a.jpg", [1, 2, 3])
        #expect { try PhotoFile.read(ImagePath("a.jpg")!, in: folder.path, limit: 2) } throws: {
            if case .tooLarge(3, 2, _) = $0 as? PhotoFileError { true } else { false }
        }
    }
}

@Suite("Scaled decoding")
struct ScalingTests {
    @Test(
        "is the smallest that is at least twice the size resized to",
        arguments: [
            (4000, 3000, 2), (512, 512, 8), (1024, 1024, 4), (400, 533, 8), (4096, 4096, 1), (2732, 2000, 4),
        ])
    func smallest(width: Int, height: Int, eighths: Int) {
        let found = DecodingScale(for: shape, isFree: true).eighths(ofWidth: width, height: height)
        #expect(found == eighths)
        let side = PhotoDecoder.scaled(min(width, height), found)
        #expect(found == 8 || side >= 512)
    }

    private func reader(_ shape: PictureShape) -> PhotoReader { PhotoReader(shape: shape, limits: generous) }

    @Test("a stretched shape wants both its sides, and the nearest pixel all of them")
    func otherShapes() {
        var wide = PictureShape(width: 400, height: 100, fit: .stretch, filter: .bicubic)
        #expect(DecodingScale(for: wide, isFree: true).eighths(ofWidth: 1600, height: 400) == 4)
        #expect(DecodingScale(for: wide, isFree: true).eighths(ofWidth: 1600, height: 300) == 8)
        #expect(DecodingScale(for: wide, isFree: false).eighths(ofWidth: 1600, height: 400) == 8)
        wide.filter = .nearest
        #expect(DecodingScale(for: wide, isFree: true).eighths(ofWidth: 1600, height: 400) == 8)
    }

    @Test(
        "where a wide border is cut off, the rest is decoded as large as it has to be",
        arguments: ["product-in-the-middle.jpg", "flat-product.jpg"])
    func trimmed(name: String) throws {
        // 4000 x 4000 pixels, of which 500 x 500 are no border, or 3800 x 450.
        let bytes = try Repository.fixture("imaging/\(name)")
        var trimming = shape
        trimming.trim = .usual
        let reading = try reader(trimming).read(bytes)
        #expect(reading.description.eighths == 8)
        let whole = try PhotoReader(shape: trimming, limits: generous, mayScale: false).read(bytes)
        #expect(reading == whole)
        #expect(try reader(shape).read(bytes).description.eighths == 2)
    }
}

@Suite("The formats that are read")
struct CodecTests {
    @Test("files of them are photos by the settings' defaults, and no others")
    func endings() {
        #expect(Settings().images.extensions == Codec.all.flatMap(\.endings))
    }

    @Test("each has a name of its own, and messages list them")
    func names() {
        #expect(Set(Codec.all.map(\.name)).count == Codec.all.count)
        let words = Codec.names.replacing(" or ", with: ", ").components(separatedBy: ", ")
        #expect(words == Codec.all.map(\.name) && Codec.names.hasSuffix(" or \(words.last ?? "")"))
    }
}

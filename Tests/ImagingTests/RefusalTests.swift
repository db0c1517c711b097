import Foundation
import Products
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

    @Test(
        "what is cut off is damaged",
        arguments: [
            "half.jpg", "half.png", "half.webp", "header-only.jpg", "header-only.png", "header-only.webp",
            "progressive-half.jpg",
        ])
    func truncated(name: String) throws {
        let bytes = try Repository.fixture("broken/\(name)")
        #expect { try read(bytes) } throws: { if case .damaged = $0 as? ImagingError { true } else { false } }
    }

    @Test("what is no photo says so by name")
    func unsupported() throws {
        #expect(throws: ImagingError.unsupported(format: "GIF")) {
            try read(try Repository.fixture("broken/animation.gif"))
        }
        #expect(throws: ImagingError.unsupported(format: "TIFF")) {
            try read(try Repository.fixture("broken/scan.tiff"))
        }
        #expect(throws: ImagingError.unsupported(format: nil)) {
            try read(try Repository.fixture("broken/noise.jpg"))
        }
        #expect(throws: ImagingError.empty) { try read([]) }
        #expect("\(ImagingError.unsupported(format: "GIF"))".contains("convert it to JPEG"))
    }

    @Test("limits are checked before pixels are decoded")
    func limits() throws {
        let bytes = try Repository.fixture("imaging/small.png")
        #expect(throws: ImagingError.tooManyPixels(width: 90, height: 120, limit: 10_799)) {
            try read(bytes, limits: .init(fileBytes: 1 << 20, pixels: 10_799))
        }
        #expect(throws: ImagingError.fileTooLarge(bytes: bytes.count, limit: bytes.count - 1)) {
            try read(bytes, limits: .init(fileBytes: bytes.count - 1, pixels: 10_800))
        }
        #expect(try read(bytes, limits: .init(fileBytes: bytes.count, pixels: 10_800)).width == 224)
    }

    @Test(
        "a small file that claims to be huge is refused, in each format",
        arguments: ["grey.jpg", "rgb.png", "lossless.webp"])
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
            "orientation-6.png", "lossy.webp", "orientation-6.webp",
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
        for name in ["link.jpg", "pipe.jpg"] {
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
            (4000, 3000, 2), (512, 512, 8), (1024, 1024, 4), (400, 533, 8), (4096, 4096, 1), (2732, 2000, 3),
        ])
    func smallest(width: Int, height: Int, eighths: Int) {
        let factor = ScalingFactor.smallest(for: shape, width: width, height: height, orientation: .upright)
        #expect(factor.value == Double(eighths) / 8)
        #expect(factor.value == 1 || min(factor.applied(to: width), factor.applied(to: height)) >= 512)
    }

    @Test("a stretched shape turns with the photo")
    func turned() {
        let wide = PictureShape(width: 400, height: 100, fit: .stretch, filter: .bicubic)
        let factor = ScalingFactor.smallest(
            for: wide, width: 400, height: 1600, orientation: .turned90Clockwise)
        #expect(factor.value == 0.5)
    }
}

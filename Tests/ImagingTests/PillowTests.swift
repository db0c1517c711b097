import Foundation
import Products
import TestSupport
import Testing

@testable import Imaging

/// One photo, and what Pillow makes of it.
struct PillowCase: Decodable, Sendable, CustomTestStringConvertible {
    let file: String
    let picture: String
    let width: Int
    let height: Int
    let shortSide: Int
    let filter: String
    let fit: String
    let trim: Bool
    let background: String
    /// The largest difference of a level that is allowed.
    let tolerance: Int
    /// The largest mean difference of all levels.
    let average: Double

    var testDescription: String { picture }

    var shape: PictureShape {
        PictureShape(
            width: width, height: height,
            fit: fit == "stretch" ? .stretch : fit == "pad" ? .pad : .crop(shortSide: shortSide),
            filter: PictureShape.Filter(rawValue: filter)!, trim: trim ? .usual : nil,
            background: PictureShape.Colour(background)!)
    }

    static let all: [PillowCase] = {
        guard let data = try? Repository.fixture("imaging.json") else { return [] }
        return (try? JSONDecoder().decode([PillowCase].self, from: Data(data))) ?? []
    }()
}

let generous = PhotoReader.Limits(fileBytes: 1 << 30, pixels: 100_000_000)

@Suite("Compared with Pillow")
struct PillowTests {
    @Test("there is something to compare with")
    func fixtures() throws {
        _ = try Repository.fixture("imaging.json")
        #expect(PillowCase.all.count > 150)
    }

    @Test("a photo becomes the picture that Pillow makes of it", arguments: PillowCase.all)
    func picture(of example: PillowCase) throws {
        let bytes = try Repository.fixture("imaging/\(example.file)")
        let expected = try Repository.fixture("imaging/\(example.picture)")
        let picture = try PhotoReader(shape: example.shape, limits: generous).picture(from: bytes)
        #expect(picture.width == example.width && picture.height == example.height)
        var (largest, sum) = (0, 0)
        for pixel in 0..<picture.width * picture.height {
            for channel in 0..<3 {
                let difference = abs(
                    Int(picture.pixels[pixel * 4 + channel]) - Int(expected[pixel * 3 + channel]))
                largest = max(largest, difference)
                sum += difference
            }
        }
        #expect(largest <= example.tolerance)
        #expect(Double(sum) / Double(picture.width * picture.height * 3) <= example.average)
    }
}

import TestSupport
import Testing

@testable import Products

@Suite("File names")
struct FileNameTests {
    @Test("any bytes come back from their text", arguments: [1, 2, 3])
    func reversible(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // Bytes that are likely to make, break and imitate escapes: U+F700...U+F7FF is EF 9C 80 ... EF 9F BF.
        let likely: [UInt8] = [
            0x61, 0x25, 0xC3, 0xA9, 0xEF, 0x9C, 0x9D, 0x9F, 0x80, 0xBF, 0xF0, 0xED, 0xA0, 0xFF, 0x00, 0x2E,
        ]
        var seen: [String: [UInt8]] = [:]
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...6, using: &random)).map { _ in
                likely.randomElement(using: &random)!
            }
            let name = FileName(bytes: bytes)
            #expect(name.bytes == bytes)
            #expect(
                seen.updateValue(bytes, forKey: name.text) ?? bytes == bytes,
                "two names share the text \(name)")
        }
    }

    @Test("UTF-8 is its own text", arguments: ["a.jpg", "50% off.jpg", "été.png", "スカート.webp", "👗"])
    func plain(text: String) {
        #expect(FileName(bytes: Array(text.utf8)).text == text)
    }

    @Test("two Unicode spellings of one letter are two names")
    func spellings() {
        let composed = FileName(text: "\u{E9}")
        let decomposed = FileName(text: "e\u{301}")
        #expect(composed.text == decomposed.text)  // as String sees it
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(decomposed < composed)
    }
}

@Suite("Image paths and products")
struct ImagePathTests {
    @Test(
        "a path that could leave the folder is none",
        arguments: ["", "/a.jpg", "a//b.jpg", "../a.jpg", "a/../b.jpg", "./a.jpg", "a/", "a\0.jpg"])
    func refused(text: String) {
        #expect(ImagePath(text) == nil)
    }

    @Test(
        "the default product is the path without its ending",
        arguments: [
            ("dress/dress-001.jpg", "dress/dress-001"), ("a.b/c", "a.b/c"), ("a.tar.png", "a.tar"),
            ("x/.jpg", "x/.jpg"),
        ])
    func products(path: String, product: String) throws {
        #expect(ProductID(of: try #require(ImagePath(path))).text == product)
    }

    @Test("photos of one name and different endings are one product")
    func oneProduct() throws {
        #expect(
            ProductID(of: try #require(ImagePath("a.jpg"))) == ProductID(of: try #require(ImagePath("a.png")))
        )
    }
}

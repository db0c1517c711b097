import Products
import TestSupport
import Testing

@testable import Publishing

@Suite("Where a product's document lies")
struct OutputPathTests {
    @Test(
        "most ids are their own path",
        arguments: ["dress/dress-001", "a", "50 off", "été/スカート", "a.json", ".hidden", "a/...", "x.JSON/y"])
    func plain(id: String) {
        #expect(OutputPath(of: ProductID(id), in: .products).relative == "products/\(id).json")
    }

    @Test(
        "what would be unsafe is escaped",
        arguments: [
            ("..", "products/%2E..json"), ("../../etc/passwd", "products/%2E./%2E./etc/passwd.json"),
            ("/etc/passwd", "products/%%/etc/passwd.json"), ("", "products/%%.json"),
            ("a//b/", "products/a/%%/b/%%.json"),
            ("50%", "products/50%25.json"), ("a\nb\u{7F}", "products/a%0Ab%7F.json"),
            ("a\\b", "products/a%5Cb.json"),
            ("a.json/b", "products/a%2Ejson/b.json"),
            ("\u{600}.json/b", "products/\u{600}%2Ejson/b.json"), (".", "products/%2E.json"),
        ])
    func escaped(id: String, path: String) {
        #expect(OutputPath(of: ProductID(id), in: .products).relative == path)
    }

    @Test("where files are sharded, the digits are those of the id's SHA-256")
    func sharded() {
        let path = OutputPath(of: ProductID("dress/dress-001"), in: .sharded(digits: 3))
        // printf dress/dress-001 | sha256sum
        #expect(path.relative == "products/5e9/dress/dress-001.json")
    }

    @Test("bytes that are no UTF-8 are escaped")
    func bytes() {
        #expect(
            OutputPath(of: ProductID(FileName(bytes: [0xE9, 0x74])), in: .products).relative
                == "products/%E9t.json")
    }

    @Test("what a cut leaves of a long part does not lead out")
    func longDots() {
        let id = ProductID(String(repeating: "a", count: 240) + "../b")
        let path = OutputPath(of: id, in: .products)
        #expect(path.components == ["products", String(repeating: "a", count: 240) + "%", "%2E.", "b.json"])
        #expect(OutputPath.product(at: path.relative, in: .products) == id)
    }

    @Test("a part that is too long for a file name is cut between characters")
    func long() {
        let id = ProductID(String(repeating: "é", count: 300) + "/x")
        let path = OutputPath(of: id, in: .products)
        #expect(path.components.allSatisfy { $0.utf8.count <= 255 })
        #expect(path.components.count == 5)
        #expect(path.components[1].hasSuffix("é%") && path.components[4] == "x.json")
        #expect(OutputPath.product(at: path.relative, in: .products) == id)
    }

    @Test(
        "no two ids share a path, every path leads back, and no file is another's folder",
        arguments: [1, 2, 3, 4], [OutputForm.Layout.products, .sharded(digits: 2)])
    func injective(seed: UInt64, layout: OutputForm.Layout) {
        var random = SeededRandom(seed: seed)
        let likely: [[UInt8]] = [
            Array("a".utf8), Array(".".utf8), Array("..".utf8), Array("/".utf8), Array("%".utf8),
            Array("2E".utf8), Array("%2E".utf8),
            Array(".json".utf8), Array("%%".utf8), [0], [0x0A], [0xFF], Array("é".utf8),
            Array("\u{F7E9}".utf8), [0xC3],
            [UInt8](repeating: 0x62, count: 239), [UInt8](repeating: 0x62, count: 240), Array("\u{600}".utf8),
            [UInt8](repeating: 0x1F, count: 90), Array("products".utf8),
        ]
        var paths: [String: ProductID] = [:]
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...5, using: &random)).flatMap { _ in
                likely.randomElement(using: &random)!
            }
            let id = ProductID(FileName(bytes: bytes))
            let path = OutputPath(of: id, in: layout)
            #expect(paths.updateValue(id, forKey: path.relative) ?? id == id)
            #expect(OutputPath.product(at: path.relative, in: layout) == id)
            #expect(path.components.first == "products" && path.components.count >= 2)
            for component in path.components {
                #expect(
                    !component.isEmpty && component != "." && component != ".." && component.utf8.count <= 255
                )
                #expect(!component.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") || $0 < 0x20 })
            }
            let isFile = path.components.map { $0.utf8.suffix(5).elementsEqual(".json".utf8) }
            #expect(isFile == path.components.indices.map { $0 == path.components.count - 1 })
        }
    }

    @Test(
        "a path that no product has leads to none",
        arguments: [
            "index.json", "products", "products/a", "products/../a.json", "products/a%.json",
            "products/%2.json", "products/%61.json", "other/a.json", "products//a.json",
        ])
    func foreign(path: String) {
        #expect(OutputPath.product(at: path, in: .products) == nil)
    }
}

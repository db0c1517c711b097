import Foundation
import Products
import TestSupport
import Testing

@testable import Publishing

@Suite("The review page's data")
struct GalleryTests {
    private func gallery(
        _ lists: [(id: String, similar: [(String, Float)])], images: String = "/shop/photos",
        folder: String = "/shop/review", failed: [(path: ImagePath, reason: String)] = []
    ) throws -> Gallery {
        var gallery = Gallery(
            imagesFolder: images, folder: folder, model: "m", nearDuplicateScore: 0.95, failed: failed)
        for (id, similar) in lists.sorted(by: { ProductID($0.id) < ProductID($1.id) }) {
            gallery.add(
                ProductDocument(
                    product: ProductID(id), photos: [try photo(id)],
                    recommendations: try similar.map {
                        Candidate(
                            neighbour: Neighbour(product: ProductID($0.0), score: $0.1),
                            photos: [try photo($0.0)])
                    }))
        }
        return gallery
    }

    private func photo(_ id: String, content: String? = nil) throws -> ProductPhoto {
        ProductPhoto(
            path: try #require(ImagePath("\(id).jpg")), digest: ContentDigest(of: (content ?? id).utf8))
    }

    /// The data as the page's script has it.
    private func decode(_ bytes: [UInt8]?) throws -> [String: Any] {
        let text = String(decoding: try #require(bytes), as: UTF8.self)
        #expect(text.hasPrefix("window.review={") && text.hasSuffix("};\n"))
        let json = text.dropFirst("window.review=".count).dropLast(2)
        return try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    }

    private func content(_ gallery: Gallery) throws -> [String: Any] {
        try #require(try decode(gallery.data(previous: nil, now: .now))["content"] as? [String: Any])
    }

    @Test(
        "names photos by addresses relative to itself",
        arguments: [
            ("/shop/photos", "/shop/review", "../photos/"), ("/a b/ü", "/", "a%20b/%C3%BC/"),
            ("/x", "/x", "./"),
        ])
    func addresses(images: String, folder: String, base: String) throws {
        #expect(try content(gallery([], images: images, folder: folder))["base"] as? String == base)
    }

    @Test(
        "names that are markup or script stay names",
        arguments: [
            "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a\"b'c&d", "100%?#",
            "\u{2028}",
        ])
    func hostile(id: String) throws {
        let gallery = try gallery([(id, [(id, 0.5)])])
        let products = try #require(try content(gallery)["products"] as? [[Any]])
        #expect(products[0][0] as? String == id)
        let address = try #require((products[0][1] as? [String])?.first)
        #expect(!address.contains { "<>\"'?# &".contains($0) })
        #expect(address.removingPercentEncoding == "\(id).jpg")
        let bytes = try #require(gallery.data(previous: nil, now: .now))
        #expect(!String(decoding: bytes, as: UTF8.self).contains("<"))
    }

    @Test("the page refers to nothing but its data and the photos")
    func selfContained() throws {
        let page = String(decoding: Gallery.page, as: UTF8.self)
        #expect(!page.contains("http:") && !page.contains("https:") && !page.contains("@import"))
        #expect(page.matches(of: /src="([^"]*)"/).map { String($0.1) } == ["data.js"])
    }

    @Test("products with a photo of the same bytes are told")
    func same() throws {
        var gallery = Gallery(
            imagesFolder: "/p", folder: "/r", model: "m", nearDuplicateScore: 0.9)
        for (id, contents) in [("a", ["1", "2", "2"]), ("b", ["3"]), ("c", ["2"]), ("d", ["3", "1"])] {
            gallery.add(
                ProductDocument(
                    product: ProductID(id), photos: try contents.map { try photo(id, content: $0) },
                    recommendations: []))
        }
        #expect(try content(gallery)["same"] as? [[Int]] == [[0, 2], [0, 3], [1, 3]])
    }

    @Test("what has changed is what differs from the page before, whatever changes", arguments: [1, 2, 3])
    func changes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let ids = ["a", "b", "c/d", "é", "e\u{301}", "f", "g"]
        var data: [UInt8]?
        var time = Date(timeIntervalSince1970: 1_000_000)
        var (shown, shownTime): ([ProductID: [ProductID]], Date?) = ([:], nil)
        for _ in 0..<60 {
            time += 60
            // As byte strings: two of the ids are equal to Swift.
            var current: [ProductID: [ProductID]] = [:]
            let there = ids.filter { _ in Bool.random(using: &random) }
            for id in there {
                current[ProductID(id)] = there.filter { $0.utf8.count != id.utf8.count || $0 < id }.prefix(
                    Int.random(in: 0...3, using: &random)
                ).map { ProductID($0) }
            }
            let gallery = try gallery(
                current.map { ($0.key.text, $0.value.map { ($0.text, Float(0.5)) }) })
            guard let new = gallery.data(previous: data, now: time) else {
                #expect(current == shown)
                continue
            }
            let object = try decode(new)
            let changes = try #require(object["changes"] as? [String: [Any]])
            let order = current.keys.sorted()
            if data != nil {
                #expect(current != shown)
                #expect(object["since"] as? String == shownTime?.formatted(.iso8601))
                #expect(
                    (changes["added"] as? [Int])?.map { order[$0] } == order.filter { shown[$0] == nil })
                #expect(
                    (changes["removed"] as? [String])?.map { ProductID($0) }
                        == shown.keys.filter { current[$0] == nil }.sorted())
                let changed = try #require(changes["changed"] as? [[Any]])
                #expect(
                    changed.map { order[$0[0] as? Int ?? -1] }
                        == order.filter { shown[$0] != nil && shown[$0] != current[$0] })
                for one in changed {
                    let product = order[one[0] as? Int ?? -1]
                    let (old, new) = (shown[product] ?? [], current[product] ?? [])
                    #expect((one[1] as? [Int])?.map { new[$0] } == new.filter { !old.contains($0) })
                    #expect((one[2] as? [String])?.map { ProductID($0) } == old.filter { !new.contains($0) })
                }
            } else {
                #expect(object["since"] is NSNull)
            }
            (data, shown, shownTime) = (new, current, time)
        }
    }

    @Test(
        "data that are no page's are not compared with",
        arguments: ["", "hello", "window.review={\n};\n", "window.review={\"time\":3,\"content\":\n{}\n};\n"])
    func foreign(text: String) throws {
        let data = try gallery([("a", [])]).data(previous: Array(text.utf8), now: .now)
        #expect(try decode(data)["since"] is NSNull)
    }
}

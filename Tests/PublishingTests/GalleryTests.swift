import Foundation
import Products
import TestSupport
import Testing

@testable import Publishing

@Suite("The review page")
struct GalleryTests {
    private func page(ids: [String], images: String = "/shop/photos", page: String = "/shop/review") throws
        -> String
    {
        var gallery = Gallery(imagesFolder: images, pageFolder: page, model: "m")
        for id in ids {
            let photo = ProductPhoto(
                path: try #require(ImagePath("\(id).jpg")), digest: ContentDigest(of: id.utf8))
            gallery.add(
                ProductDocument(
                    product: ProductID(id), photos: [photo],
                    recommendations: [.init(product: ProductID(id), photos: [photo], score: 0.5)]))
        }
        return String(decoding: gallery.html(), as: UTF8.self)
    }

    /// The data that the page carries, as its script reads it.
    private func data(of page: String) throws -> [String: Any] {
        let start = try #require(page.range(of: "<script type=\"application/json\" id=\"data\">")).upperBound
        let end = try #require(page.range(of: "</script>", range: start..<page.endIndex)).lowerBound
        return try #require(
            try JSONSerialization.jsonObject(with: Data(page[start..<end].utf8)) as? [String: Any])
    }

    @Test(
        "names photos by addresses relative to itself",
        arguments: [
            ("/shop/photos", "/shop/review", "../photos/"), ("/a b/ü", "/", "a%20b/%C3%BC/"),
            ("/x", "/x", "./"),
        ])
    func addresses(images: String, folder: String, base: String) throws {
        #expect(try data(of: try page(ids: [], images: images, page: folder))["base"] as? String == base)
    }

    @Test(
        "names that are markup or script stay names",
        arguments: [
            "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a\"b'c&d", "100%?#",
        ])
    func hostile(id: String) throws {
        let page = try page(ids: [id])
        let products = try #require(try data(of: page)["products"] as? [[String: Any]])
        #expect(products[0]["id"] as? String == id)
        #expect(!page.contains("alert(1)</script>"))
        let address = try #require((products[0]["images"] as? [String])?.first)
        #expect(!address.contains { "<>\"'?# &".contains($0) })
        #expect(address.removingPercentEncoding == "\(id).jpg")
    }

    @Test("refers to nothing outside itself but the photos")
    func selfContained() throws {
        let page = try page(ids: ["a"])
        #expect(
            !page.contains("http:") && !page.contains("https:") && !page.contains("src=\"")
                && !page.contains("@import"))
    }
}

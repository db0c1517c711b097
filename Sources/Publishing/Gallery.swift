import Foundation
import Products

/// The review page: one HTML file that shows each product with what is recommended beside it.
///
/// It needs no server and no other file but the photos, which it names by relative addresses.
package struct Gallery {
    private var json = JSONText()
    private var count = 0
    private let failed: [(path: ImagePath, reason: String)]
    private let base: String

    /// - Parameters:
    ///   - imagesFolder: absolute path of the photos.
    ///   - pageFolder: absolute path of the folder that the page will lie in.
    ///   - model: the model's name.
    ///   - failed: photos that cannot be used, and why.
    package init(
        imagesFolder: String, pageFolder: String, model: String,
        failed: [(path: ImagePath, reason: String)] = []
    ) {
        self.failed = failed
        base = WebAddress.relative(from: pageFolder, to: imagesFolder)
        json.append("{\"model\":")
        json.append(string: model)
        json.append(",\"base\":")
        json.append(string: base)
        json.append(",\"products\":[")
    }

    package mutating func add(_ document: ProductDocument) {
        json.append(count == 0 ? "\n{\"id\":" : ",\n{\"id\":")
        json.append(string: document.product.text)
        json.append(",\"images\":[")
        for (index, image) in document.photos.enumerated() {
            if index > 0 { json.append(",") }
            json.append(string: WebAddress.encoded(image.path.name.bytes))
        }
        json.append("],\"similar\":[")
        for (index, recommendation) in document.recommendations.enumerated() {
            json.append(index == 0 ? "[" : ",[")
            json.append(string: recommendation.product.text)
            json.append(",")
            json.append(string: WebAddress.encoded(recommendation.photos[0].path.name.bytes))
            json.append(",\(JSONText.score(recommendation.score))]")
        }
        json.append("]}")
        count += 1
    }

    /// The whole page.
    package consuming func html() -> [UInt8] {
        json.append("\n],\"failed\":[")
        for (index, failure) in failed.enumerated() {
            json.append(index == 0 ? "\n[" : ",\n[")
            json.append(string: failure.path.text)
            json.append(",")
            json.append(string: failure.reason)
            json.append("]")
        }
        json.append("]}")
        let page = PackageResources.gallery_html
        let marker = Array("/*DATA*/".utf8)
        let start = page.indices.first { page[$0...].starts(with: marker) }!
        return page[..<start] + json.bytes + page[(start + marker.count)...]
    }
}

import Products

/// A product's JSON document (schema version 1).
package struct ProductDocument: Hashable, Sendable {
    package struct Recommendation: Hashable, Sendable {
        package let product: ProductID
        /// The photo that stands for the product.
        package let image: ImagePath
        package let score: Float

        package init(product: ProductID, image: ImagePath, score: Float) {
            self.product = product
            self.image = image
            self.score = score
        }
    }

    package static let schemaVersion = 1

    package let product: ProductID
    package let images: [ImagePath]
    /// The most similar first.
    package let recommendations: [Recommendation]

    package init(product: ProductID, images: [ImagePath], recommendations: [Recommendation]) {
        self.product = product
        self.images = images
        self.recommendations = recommendations
    }

    /// The document's bytes: the same content, the same bytes.
    func json(model: String) -> [UInt8] {
        var json = JSONText()
        json.append("{\n  \"schemaVersion\": \(Self.schemaVersion),\n  \"product\": ")
        json.append(string: product.text)
        json.append(",\n  \"images\": [")
        for (index, image) in images.enumerated() {
            json.append(index == 0 ? "" : ", ")
            json.append(string: image.text)
        }
        json.append("],\n  \"model\": ")
        json.append(string: model)
        json.append(",\n  \"recommendations\": [")
        for (index, recommendation) in recommendations.enumerated() {
            json.append(index == 0 ? "\n    { \"product\": " : ",\n    { \"product\": ")
            json.append(string: recommendation.product.text)
            json.append(", \"image\": ")
            json.append(string: recommendation.image.text)
            json.append(", \"score\": \(JSONText.score(recommendation.score)) }")
        }
        json.append(recommendations.isEmpty ? "]\n}\n" : "\n  ]\n}\n")
        return json.bytes
    }
}

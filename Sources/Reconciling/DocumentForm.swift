import Catalogue
import Products
import Publishing
import Recommending
import Settings

/// All that decides what a product's document says beside the catalogue.
package struct DocumentForm: Sendable {
    let output: OutputForm
    package let recommender: Recommender
    /// Of all that the form is made by.
    let digest: ContentDigest

    package init(_ settings: Settings) {
        output = OutputForm(settings)
        recommender = Recommender(settings)
        let parts = [
            "2", "\(output.layout)", "\(output.isCompact)", output.imageBaseURL ?? "",
            output.fields.map(\.rawValue).sorted().joined(separator: ","), "\(output.hasComponent)",
            recommender.description,
        ]
        digest = ContentDigest(of: parts.joined(separator: "\n").utf8)
    }

    /// A product's document.
    package func document(of ranked: RankedProduct) -> ProductDocument {
        let shown = Dictionary(
            ranked.similar.map { ($0.neighbour.product, $0) }, uniquingKeysWith: { first, _ in first })
        let lists = recommender.lists(from: Candidates(looks: ranked.similar.map(\.neighbour)))
        return ProductDocument(
            product: ranked.product, photos: ranked.photos,
            recommendations: (lists.first?.entries ?? []).compactMap { entry in
                shown[entry.neighbour.product].map {
                    .init(
                        product: entry.neighbour.product, photos: $0.photos, score: entry.neighbour.score,
                        attributes: $0.attributes)
                }
            },
            attributes: ranked.attributes)
    }
}

extension Recommender {
    package init(_ settings: Settings) {
        let least = Float(settings.minimumScore)
        self.init(
            lists: [
                ListDefinition(count: settings.recommendationCount, conditions: [.looks(atLeast: least)])
            ])
    }
}

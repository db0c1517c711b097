import Catalogue
import Products
import Publishing
import Recommending
import Settings

/// All that decides what a product's document says beside the catalogue.
package struct DocumentForm: Sendable {
    let output: OutputForm
    private let recommender: Recommender
    /// Of all that the form is made by.
    let digest: ContentDigest

    /// Changes when the same settings make other documents.
    private static let version = 3

    package init(_ settings: Settings) {
        output = OutputForm(settings)
        recommender = Recommender(settings)
        digest = ContentDigest(of: "\(Self.version) \(settings.digest(of: .documents))".utf8)
    }

    /// How many candidates of a product its document needs, the best first.
    package var candidateDepth: Int { recommender.candidateDepth }

    /// A product's document.
    package func document(of ranked: RankedProduct) -> ProductDocument {
        let lists = recommender.lists(of: ranked)
        return ProductDocument(
            product: ranked.product, photos: ranked.photos,
            recommendations: (lists.first?.entries ?? []).map(\.candidate), attributes: ranked.attributes)
    }
}

extension Recommender {
    fileprivate init(_ settings: Settings) {
        let least = Float(settings.recommendations.minScore)
        self.init(
            lists: [
                ListDefinition(count: settings.recommendations.count, conditions: [.looks(atLeast: least)])
            ])
    }
}

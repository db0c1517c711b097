import Catalogue
import Foundation
import Products
import Publishing
import Settings
import Tables

/// All that decides what a product's document says beside the catalogue: the settings, and the table of attributes as
/// it is now.
package struct PublishedForm: Sendable {
    let output: OutputForm
    private let minimumScore: Float
    private let attributes: AttributeTable?
    /// Of all that the form is made by.
    let digest: ContentDigest

    package init(_ settings: Settings, _ files: any TableFiles) throws(TableError) {
        output = OutputForm(settings)
        minimumScore = Float(settings.minimumScore)
        attributes =
            if let file = settings.attributesFile { try AttributeTable(file: file, files) } else { nil }
        let parts = [
            "1", "\(output.layout)", "\(output.isCompact)", output.imageBaseURL ?? "",
            output.fields.map(\.rawValue).sorted().joined(separator: ","), "\(output.hasComponent)",
            "\(minimumScore)", attributes.map { "\($0.digest)" } ?? "",
        ]
        digest = ContentDigest(of: parts.joined(separator: "\n").utf8)
    }

    /// When the table of attributes was changed; nil where there is none.
    var stamp: FileStamp? { attributes?.stamp }

    /// How many products the table of attributes names; nil where there is none.
    var attributedCount: Int? { attributes?.count }

    func hasAttributes(_ product: ProductID) -> Bool { attributes?[product] != nil }

    /// A product's document.
    package func document(of ranked: RankedProduct) -> ProductDocument {
        ProductDocument(
            product: ranked.product, photos: ranked.photos,
            recommendations: ranked.similar.filter { $0.neighbour.score >= minimumScore }.map {
                .init(
                    product: $0.neighbour.product, photos: $0.photos, score: $0.neighbour.score,
                    attributes: attributes?[$0.neighbour.product] ?? .init())
            },
            attributes: attributes?[ranked.product] ?? .init())
    }
}

import Catalogue
import Foundation
import Neighbours
import Products
import Publishing
import Reconciling
import Settings
import Tables

/// Compares what the catalogue and the output folder say with what follows from the photos' vectors: each product's
/// similarity with every other in full, without the neighbour table and its codes. Changes nothing.
package struct Verification {
    package struct Report: Codable, Hashable, Sendable {
        package struct Drift: Codable, Hashable, Sendable {
            package let product: String
            package let reason: String
        }

        package let products: Int
        /// How many of them were compared.
        package let verified: Int
        /// What is wrong, in the order of the ids.
        package let drift: [Drift]
        /// Products that went on changing while they were compared.
        package let unsettled: [String]
        /// Whether the catalogue's neighbours are wrong, not only files.
        package let isCatalogueWrong: Bool
        package let seconds: Double
    }

    /// Products whose vectors are held at a time, and those that are read at a time.
    private static let queriesAtOnce = 2048
    private static let vectorsAtOnce = 256
    /// How often what changes meanwhile is compared again.
    private static let attempts = 5

    private let settings: Settings
    private let catalogue: Catalogue
    private let model: ModelNumber
    private let modelName: String
    private let progress: (ReconcileProgress) -> Void

    package init(
        settings: Settings, progress: @escaping (ReconcileProgress) -> Void
    ) throws {
        self.settings = settings
        self.progress = progress
        let ranked = try Catalogue.ranked(in: settings.state.folder)
        (catalogue, model, modelName) = (ranked.catalogue, ranked.model, ranked.record.name)
    }

    /// - Parameter sample: how many products to compare, chosen at random; nil for all.
    package func run(sample: Int?) throws -> Report {
        let start = ContinuousClock.now
        // Those that have a vector and no row are not as they should be either.
        let all = try Set(catalogue.rankedProducts()).union(catalogue.embeddedProducts(of: model))
            .sorted()
        let chosen = sample.map { Array(all.shuffled().prefix($0)).sorted() } ?? all
        var suspects = chosen
        var drift: [ProductID: (reason: String, isOfCatalogue: Bool)] = [:]
        var isAtRest = false
        for attempt in 0..<Self.attempts where !isAtRest {
            if attempt > 0 { sleep(1) }
            let before = try catalogue.summary()
            drift = try self.drift(of: suspects)
            try addIndexDrift(to: &drift)
            isAtRest = try drift.isEmpty || (before == catalogue.summary() && before.isAtRest)
            suspects = drift.keys.sorted()
        }
        return Report(
            products: all.count, verified: chosen.count,
            drift: isAtRest ? suspects.map { .init(product: $0.text, reason: drift[$0]!.reason) } : [],
            unsettled: isAtRest ? [] : suspects.map(\.text),
            isCatalogueWrong: isAtRest && drift.values.contains(where: \.isOfCatalogue),
            seconds: (ContinuousClock.now - start).seconds)
    }

    private func drift(of products: [ProductID]) throws -> [ProductID: (reason: String, isOfCatalogue: Bool)]
    {
        var drift: [ProductID: (String, Bool)] = [:]
        let published = PublishedFiles(
            folder: settings.output.folder, model: modelName, form: OutputForm(settings))
        let form = DocumentForm(settings)
        let table = try attributeTable()
        let count = try catalogue.rankingState().depth
        progress(.verifying(done: 0, of: products.count))
        for first in stride(from: 0, to: products.count, by: Self.queriesAtOnce) {
            let part = Array(products[first..<min(first + Self.queriesAtOnce, products.count)])
            let queries = try catalogue.vectors(of: part, model: model)
            // What comes and goes later builds on the pools, which are deeper than the rows.
            let pools = try catalogue.pooledNeighbours(of: part, model: model)
            let depth = (pools ?? [:]).values.reduce(count) { max($0, $1.count) }
            var search = FlatSearch(queries.map { ($0.embedding, $0.product) }, count: depth)
            try catalogue.forEachVectors(of: model, inGroupsOf: Self.vectorsAtOnce) { group in
                search.offer(group, threads: settings.effectiveThreads)
            }
            let expected = Dictionary(uniqueKeysWithValues: zip(queries.map(\.product), search.results))
            try catalogue.forEach(of: part) { product, ranked in
                if let ranked, let neighbours = expected[product] {
                    if ranked.similar.map(\.neighbour) != Array(neighbours.prefix(count)) {
                        drift[product] = ("its neighbours in the catalogue are not the nearest", true)
                    } else if let pool = pools.map({ $0[product] ?? [] }),
                        pool.count < min(count, neighbours.count)
                            || pool != Array(neighbours.prefix(pool.count))
                    {
                        drift[product] = ("its neighbours in the catalogue's pools are not the nearest", true)
                    } else if let wrong = published.drift(
                        of: form.document(of: table?.applied(to: ranked) ?? ranked))
                    {
                        drift[product] = (wrong.rawValue, false)
                    }
                } else if ranked != nil || expected[product] != nil {
                    drift[product] = ("the catalogue has no vector or no neighbours of it", true)
                }
            }
            progress(.verifying(done: first + part.count, of: products.count))
        }
        return drift
    }

    /// What the table of attributes says, where the catalogue does not have it yet.
    private func attributeTable() throws -> NewAttributes? {
        let files = DirectTableFiles(limit: settings.output.attributesMaxBytes)
        let table = try settings.output.attributes.map { try AttributeTable(file: $0, files) }
        return try table?.digest == catalogue.attributesFile() ? nil : NewAttributes(rows: table?.rows ?? [:])
    }

    /// Products that the index names and the catalogue does not have.
    private func addIndexDrift(to drift: inout [ProductID: (reason: String, isOfCatalogue: Bool)]) throws {
        let published = PublishedFiles(
            folder: settings.output.folder, model: modelName, form: OutputForm(settings))
        for product in published.products.subtracting(try catalogue.rankedProducts()) {
            drift[product] = ("index.json names it, and there is no such product", false)
        }
    }
}

/// Attributes that files are to show, and the catalogue does not have.
private struct NewAttributes {
    let rows: [ProductID: ProductAttributes]

    func applied(to ranked: RankedProduct) -> RankedProduct {
        RankedProduct(
            product: ranked.product, photos: ranked.photos, attributes: rows[ranked.product] ?? .init(),
            similar: ranked.similar.map {
                .init(
                    neighbour: $0.neighbour, photos: $0.photos,
                    attributes: rows[$0.neighbour.product] ?? .init())
            })
    }
}

extension CatalogueSummary {
    /// Whether nothing is waiting to be ranked or published.
    fileprivate var isAtRest: Bool { due == 0 && !isRankingDue }
}

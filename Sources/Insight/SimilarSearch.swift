import Catalogue
import Embedder
import Embedding
import Foundation
import Imaging
import Neighbours
import Products
import Recommending
import Reconciling
import Settings

/// Answers "what is similar to this?" for a product, or for any image file.
package struct SimilarSearch {
    package struct Answer: Codable, Hashable, Sendable {
        package struct Match: Codable, Hashable, Sendable {
            package let product: String
            package let image: String
            package let score: Double
        }

        /// The product's id, or the path of the file.
        package let query: String
        /// Whether the query is a product of the catalogue.
        package let isProduct: Bool
        package let model: String
        /// The most similar first.
        package let similar: [Match]
    }

    private let settings: Settings
    private let executable: String
    private let catalogue: Catalogue
    private let model: ModelNumber
    private let record: ModelRecord

    package init(settings: Settings, executable: String) throws {
        self.settings = settings
        self.executable = executable
        (catalogue, model, record) = try Catalogue.ranked(in: settings.stateFolder)
    }

    /// A product's list as it is published; what looks most like a file, whatever lists have.
    ///
    /// - Parameters:
    ///   - name: a product's id, a photo's path in the image folder, or the path of any image file.
    ///   - count: how many to name; nil for as many as are published.
    package func nearest(to name: String, count: Int?) throws -> Answer {
        let count = count ?? settings.recommendationCount
        let firstImages = try catalogue.firstImages()
        func answer(_ query: String, isProduct: Bool, _ neighbours: [Neighbour]) -> Answer {
            Answer(
                query: query, isProduct: isProduct, model: record.name,
                similar: neighbours.prefix(count).map {
                    Answer.Match(
                        product: $0.product.text, image: firstImages[$0.product]?.text ?? "",
                        score: (Double($0.score) * 1e6).rounded() / 1e6)
                })
        }
        if let product = try product(named: name) {
            return answer(product.text, isProduct: true, try list(of: product, count: count))
        }
        let embedding = try embedding(ofFile: name)
        return answer(name, isProduct: false, try nearest(to: embedding, besides: nil, count: count))
    }

    /// The product of this id, or of the photo with this path: in the image folder, or a file of it.
    private func product(named name: String) throws -> ProductID? {
        if try catalogue.neighbours(of: ProductID(name)) != nil { return ProductID(name) }
        var path = name
        let file = URL(fileURLWithPath: name).resolvingSymlinksInPath().path
        let folder = URL(fileURLWithPath: settings.imagesFolder).resolvingSymlinksInPath().path + "/"
        if file.hasPrefix(folder) { path = String(file.dropFirst(folder.count)) }
        guard let imagePath = ImagePath(path) else { return nil }
        return try catalogue.images().first { $0.path == imagePath && $0.digest != nil }?.product
    }

    /// The product's list, as long as is asked for.
    private func list(of product: ProductID, count: Int) throws -> [Neighbour] {
        guard var list = Recommender(settings).lists.first else { return [] }
        list.count = count
        let recommender = Recommender(lists: [list])
        let looks = try candidates(of: product, depth: recommender.candidateDepth)
        return recommender.lists(from: Candidates(looks: looks))[0].entries.map(\.neighbour)
    }

    private func candidates(of product: ProductID, depth: Int) throws -> [Neighbour] {
        let stored = try catalogue.neighbours(of: product) ?? []
        if depth <= (try catalogue.rankingState().depth) { return stored }
        guard let own = try catalogue.vectors(of: [product], model: model).first else { return stored }
        return try nearest(to: own.embedding, besides: product, count: depth)
    }

    private func nearest(to vector: Products.Embedding, besides product: ProductID?, count: Int) throws
        -> [Neighbour]
    {
        var search = FlatSearch([(vector, product)], count: count)
        try catalogue.forEachVectors(of: model, inGroupsOf: 256) { search.offer($0, threads: 1) }
        return search.results[0]
    }

    private func embedding(ofFile name: String) throws -> Products.Embedding {
        let url = URL(fileURLWithPath: name).resolvingSymlinksInPath()
        guard FileManager.default.fileExists(atPath: url.path), let path = ImagePath(url.lastPathComponent)
        else {
            throw InsightError.unknownProduct(name)
        }
        var settings = settings
        settings.imagesFolder = url.deletingLastPathComponent().path
        settings.followsLinks = false
        settings.threads = 1
        // For one photo nothing is worth keeping, and what the agent keeps is for its threads.
        settings.cacheFolder = nil
        let library = ModelLibrary(settings: settings, executable: executable)
        let pipeline = ModelAtWork(
            try ModelSource(record, library: library), settings: settings, executable: executable
        ).pipeline(settings)
        switch try pipeline.outcome(of: path) {
        case .embedded(_, _, let embedding, _): return embedding
        case .refused(_, _, let reason), .lost(_, _, let reason), .unreadable(let reason):
            throw InsightError.unreadablePhoto(path: name, reason: reason)
        case .vanished, .known: throw InsightError.unknownProduct(name)
        }
    }
}

extension Catalogue {
    /// The catalogue that there is, and the model that its neighbour rows are of.
    static func ranked(in stateFolder: String) throws -> (
        catalogue: Catalogue, model: ModelNumber, record: ModelRecord
    ) {
        guard let catalogue = try Catalogue.forReading(stateFolder: stateFolder),
            let (model, record) = try catalogue.modelInService()
        else { throw InsightError.nothingYet(stateFolder: stateFolder) }
        return (catalogue, model, record)
    }
}

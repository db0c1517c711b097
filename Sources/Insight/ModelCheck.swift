import Embedder
import Embedding
import Foundation
import Imaging
import PhotoReading
import Products
import Settings

/// Runs a model on a photo and says what it finds.
package struct ModelCheck: Codable, Hashable, Sendable {
    package let model: String
    package let precision: String
    package let photo: String
    package let dimension: Int
    /// The lengths of the networks' vectors before they are scaled to 1.
    package let norms: [Double]
    /// How long the networks take to be made ready, from nothing and with what the cache has.
    package let loadSeconds: Double
    package let cachedLoadSeconds: Double?
    /// Whether the same photo gives the same bits: again, in another lane, and after another load.
    package let isDeterministic: Bool
    /// Without reading photos.
    package let photosPerSecond: Double
    package let golden: Golden?

    package struct Golden: Codable, Hashable, Sendable {
        package let values: Int
        package let largestDifference: Double
        package let tolerance: Double

        package var isWithin: Bool { largestDifference <= tolerance }
    }

    /// Whether nothing is wrong with the model. Of bfloat16 not the same bits are asked.
    package var isGood: Bool { (isDeterministic || precision != "f32") && golden?.isWithin ?? true }

    /// How many times as far bfloat16 may be from golden values: it has 16 bits of 32.
    private static let bfloat16Allowance = 20.0

    /// - Parameters:
    ///   - name: a model's.
    ///   - photo: any image file; nil for the test card.
    package init(of name: String, photo: String?, settings: Settings, executable: String) throws {
        let library = ModelLibrary(settings: settings, executable: executable)
        let source = try ModelSource(
            named: name, in: library, precision: settings.model.precision, readerVersion: PhotoReader.version)
        try self.init(source, photo: photo, settings: settings, executable: executable)
    }

    private init(_ source: ModelSource, photo: String?, settings: Settings, executable: String) throws {
        let threads = settings.effectiveThreads
        let loads = try Loads(source, threads: threads, cache: settings.networkCache)
        let (model, other) = (loads.first, loads.other)

        let workers = PhotoWorkers(settings: settings, shapes: source.shapes, executable: executable)
        func pictures(_ bytes: [UInt8], _ name: String) throws -> [Picture] {
            switch try workers.read(bytes) {
            case .success(let reading): return reading.pictures
            case .failure(let failure):
                throw InsightError.unreadablePhoto(path: name, reason: failure.description)
            }
        }
        guard let card = TestCard.picture.png else {
            throw InsightError.unreadablePhoto(
                path: "the test card", reason: "there is not enough memory to write it")
        }
        let lane = try model.makeLane()
        func embedding(_ lane: borrowing EmbeddingLane, _ pictures: [Picture], _ name: String) throws
            -> Products.Embedding
        {
            do throws(EmbeddingError) { return try lane.embed(pictures) } catch {
                switch error {
                case .noDirection: throw InsightError.unreadablePhoto(path: name, reason: error.description)
                case .inference(let error): throw error
                }
            }
        }
        let cardVector = try embedding(lane, try pictures(card, "the test card"), "the test card")
        let name = photo ?? "the test card"
        var seen = try pictures(card, name)
        if let photo {
            guard let data = FileManager.default.contents(atPath: photo) else {
                throw InsightError.unknownProduct(photo)
            }
            seen = try pictures(Array(data), photo)
        }
        let first = try embedding(lane, seen, name)
        let isDeterministic =
            try first == embedding(lane, seen, name) && first == embedding(try model.makeLane(), seen, name)
            && first == embedding(try other.makeLane(), seen, name)

        self.model = source.name
        precision = source.precision.rawValue
        self.photo = name
        dimension = source.dimension
        norms = try lane.norms(of: seen)
        loadSeconds = loads.seconds
        cachedLoadSeconds = loads.cachedSeconds
        self.isDeterministic = isDeterministic
        photosPerSecond = try ModelSpeed.measured(model, shapes: source.shapes, threads: threads)
        var speeds = KnownSpeeds(cacheFolder: settings.cacheFolder)
        speeds.note(photosPerSecond, of: source, threads: threads)
        golden = source.manifests[0].golden.map { golden in
            let differences = zip(golden.values, cardVector.values).map { abs(Double($0) - Double($1)) }
            return Golden(
                values: golden.values.count, largestDifference: differences.max() ?? 0,
                tolerance: golden.tolerance * (source.precision == .f32 ? 1 : Self.bfloat16Allowance))
        }
    }
}

/// A model that was loaded twice: from nothing, and with what the cache has where there is one.
private struct Loads {
    let first: Model
    let other: Model
    let seconds: Double
    let cachedSeconds: Double?

    init(_ source: ModelSource, threads: Int, cache: NetworkCache?) throws {
        func timed(_ cache: NetworkCache?) throws -> (Model, Double) {
            let start = ContinuousClock.now
            return (try source.load(threads: threads, cache: cache), (ContinuousClock.now - start).seconds)
        }
        (first, seconds) = try timed(nil)
        if cache != nil { _ = try timed(cache) }
        let (other, seconds) = try timed(cache)
        (self.other, cachedSeconds) = (other, cache == nil ? nil : seconds)
    }
}

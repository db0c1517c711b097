import Foundation
import GRDB
import Products
import TestSupport
import Testing

@testable import Catalogue

@Suite("Catalogue")
struct CatalogueTests {
    private let folder: TemporaryFolder
    private let catalogue: Catalogue
    private let model: ModelNumber

    init() throws {
        folder = try TemporaryFolder()
        catalogue = try Catalogue(stateFolder: folder.path)
        model = try catalogue.number(of: Self.model("m", 1))
    }

    private static func model(_ name: String, _ identity: UInt8) -> ModelRecord {
        ModelRecord(identity: digest(identity), name: name, precision: "f32", dimension: 4)
    }

    private static func digest(_ byte: UInt8) -> ContentDigest { ContentDigest(of: [byte]) }

    private static func image(_ path: String, _ state: ImageRecord.State) throws -> ImageRecord {
        let path = try #require(ImagePath(path))
        return ImageRecord(
            path: path, product: ProductID(of: path), stamp: FileStamp(bytes: 3, mtimeNanoseconds: 1 << 60),
            state: state)
    }

    private func store(_ paths: [(String, UInt8)]) throws {
        try catalogue.store(
            images: try paths.map { try Self.image($0.0, .ready(Self.digest($0.1))) },
            embeddings: try paths.map {
                (Self.digest($0.1), try Embedding(normalizing: [Float($0.1), 1, 0, 0]))
            },
            model: model)
    }

    private func rank(_ table: [(String, [(String, Float)])], departures: Departures = Departures()) throws {
        try catalogue.rank(
            table.map { (ProductID($0.0), $0.1.map { Neighbour(product: ProductID($0.0), score: $0.1) }) },
            count: 2, model: model, departures: departures)
    }

    @Test("photos come back as they were stored, after opening again too")
    func images() throws {
        let images = [
            try Self.image("a.jpg", .ready(Self.digest(1))),
            try Self.image("b/\u{E9}.jpg", .failed(reason: "damaged", attempts: 2, under: "1/2")),
            try Self.image("b/e\u{301}.jpg", .failed(reason: "may not be read", attempts: 1, under: nil)),
        ]
        try catalogue.store(images: images, embeddings: [], model: model)
        let again = try #require(try Catalogue.existing(stateFolder: folder.path))
        #expect(Set(try again.images()) == Set(images))
        #expect(try again.failedImages().count == 2)
    }

    @Test("the neighbour table is plain SQL, ranks from 1")
    func sql() throws {
        try store([("a.jpg", 1), ("b.jpg", 2)])
        try rank([("a", [("b", 0.5)]), ("b", [("a", 0.5)])])
        let rows = try catalogue.read {
            try Row.fetchAll($0, sql: "SELECT product, rank, neighbour, score FROM neighbour ORDER BY 1, 2")
        }
        #expect(
            rows.map {
                "\($0["product"] as String) \($0["rank"] as Int) \($0["neighbour"] as String) \($0["score"] as Double)"
            } == ["a 1 b 0.5", "b 1 a 0.5"])
    }

    @Test("a score comes back bit for bit")
    func scores() throws {
        try store([("a.jpg", 1), ("b.jpg", 2)])
        let score = Float(bitPattern: 0x3F1A_2B3C)
        try rank([("a", [("b", score)]), ("b", [("a", score)])])
        #expect(
            try catalogue.neighbours(of: ProductID("a")) == [Neighbour(product: ProductID("b"), score: score)]
        )
        #expect(try catalogue.neighbours(of: ProductID("c")) == nil)
    }

    @Test("storing a ready photo makes the ranking due; ranking settles it; a failed photo changes nothing")
    func due() throws {
        #expect(try catalogue.rankingState().isDue)
        try rank([])
        #expect(try catalogue.rankingState() == RankingState(model: model, count: 2, isDue: false))
        try catalogue.store(
            images: [try Self.image("x.jpg", .failed(reason: "r", attempts: 1, under: nil))], embeddings: [],
            model: model)
        #expect(try !catalogue.rankingState().isDue)
        try store([("a.jpg", 1)])
        #expect(try catalogue.rankingState().isDue)
    }

    @Test("a product's vector is the mean of its photos', without those that depart")
    func vectors() throws {
        try store([("a.jpg", 1), ("a.png", 3), ("b.jpg", 2)])
        let vectors = try catalogue.productVectors(of: model)
        #expect(vectors.map(\.product.text) == ["a", "b"])
        #expect(
            vectors[0].embedding
                == Embedding(meanOf: [
                    try Embedding(normalizing: [1, 1, 0, 0]), try Embedding(normalizing: [3, 1, 0, 0]),
                ]))
        let without = try catalogue.productVectors(
            of: model, without: [try #require(ImagePath("a.jpg")), try #require(ImagePath("b.jpg"))])
        #expect(without.map(\.product.text) == ["a"])
        #expect(without[0].embedding == (try Embedding(normalizing: [3, 1, 0, 0])))
    }

    @Test("what departs leaves with the ranking, and with it the vectors that no photo needs")
    func departures() throws {
        try store([("a.jpg", 1), ("b.jpg", 2), ("copy-of-b.jpg", 2), ("c.jpg", 3)])
        try rank([("a", []), ("b", []), ("copy-of-b", []), ("c", [])])
        let failed = try Self.image("c.jpg", .failed(reason: "damaged", attempts: 1, under: "1"))
        try rank(
            [("copy-of-b", [])],
            departures: Departures(
                removed: [try #require(ImagePath("a.jpg")), try #require(ImagePath("b.jpg"))],
                failed: [failed]))
        #expect(try catalogue.images().map(\.path.text) == ["c.jpg", "copy-of-b.jpg"])
        #expect(try catalogue.embeddedContents(of: model) == [Self.digest(2)])
        #expect(try catalogue.rankedProducts().map(\.text) == ["copy-of-b"])
        // Their files are still to be removed.
        #expect(try catalogue.publishedProducts().map(\.text) == ["a", "b", "c", "copy-of-b"])
        #expect(try catalogue.summary().due == 4)
    }

    @Test("ranked products come with their photos and neighbours, one at a time, in order")
    func rankedProducts() throws {
        try store([("b.jpg", 1), ("b.png", 2), ("a.jpg", 3), ("a/b.jpg", 4)])
        try rank([("a", [("b", 0.5), ("a/b", 0.25)]), ("a/b", []), ("b", [("a", 0.5)])])
        try store([("unranked.jpg", 9)])
        var seen: [RankedProduct] = []
        try catalogue.forEachRankedProduct { seen.append($0) }
        #expect(seen.map(\.product.text) == ["a", "a/b", "b"])
        #expect(seen.map { $0.images.map(\.text) } == [["a.jpg"], ["a/b.jpg"], ["b.jpg", "b.png"]])
        #expect(seen.map { $0.neighbours.map(\.product.text) } == [["b", "a/b"], [], ["a"]])
        #expect(try catalogue.firstImages()[ProductID("b")]?.text == "b.jpg")
    }

    @Test("publications are noted, adopted and forgotten")
    func publications() throws {
        try store([("a.jpg", 1)])
        try rank([("a", [])])
        try catalogue.adopt([ProductID("old"), ProductID("a")])
        #expect(try catalogue.publishedProducts().map(\.text) == ["a", "old"])
        try catalogue.notePublished([(ProductID("a"), Self.digest(7))], removed: [ProductID("old")])
        #expect(try catalogue.publishedProducts().map(\.text) == ["a"])
        #expect(try catalogue.summary().due == 0)
    }

    @Test("another model's vectors do not count, and go when it is ranked")
    func otherModel() throws {
        try store([("a.jpg", 1)])
        let record = Self.model("other", 2)
        #expect(try catalogue.existingNumber(of: record) == nil)
        let other = try catalogue.number(of: record)
        #expect(try catalogue.existingNumber(of: record) == other)
        #expect(try catalogue.embeddedContents(of: other).isEmpty)
        #expect(try catalogue.productVectors(of: other).isEmpty)
        try catalogue.rank([], count: 2, model: other, departures: Departures())
        #expect(try catalogue.embeddedContents(of: model).isEmpty)
        #expect(try catalogue.summary().model == record)
    }

    @Test("a damaged database says what to do")
    func damaged() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            Catalogue.fileName,
            Array("this is no database, whatever its name says".utf8) + [UInt8](repeating: 7, count: 5000))
        #expect { try Catalogue(stateFolder: folder.path) } throws: {
            "\($0)".contains("it is made anew from the photos")
        }
    }

    @Test("a database of a later version is left alone")
    func newer() throws {
        try catalogue.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99')") }
        #expect(throws: CatalogueError.fromNewerVersion(file: catalogue.file)) {
            try Catalogue(stateFolder: folder.path)
        }
    }
}

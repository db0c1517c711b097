import Foundation
import TestSupport
import Testing

@Suite("Commands", .serialized, .inLanes)
struct CommandTests {
    @Test("init, reconcile, status, similar and gallery, as a new user runs them")
    func journey() throws {
        let shop = try Shop(perCategory: 3)
        try FileManager.default.removeItem(atPath: shop.settings)
        let written = try Shop.run([
            Shop.binary, "init", "--config", shop.settings, "--images", shop.photos, "--output", shop.output,
            "--state", shop.state,
        ])
        #expect(written.code == 0 && written.output.contains("imgrec-agent reconcile --config"))
        #expect(try Shop.run([Shop.binary, "init", "--config", shop.settings]).code == 73)

        let early = try shop.run("status")
        #expect(early.code == 75 && early.errors.contains("Run 'imgrec-agent reconcile' first"))
        let summary = try shop.run("reconcile").output
        #expect(summary.contains("Photos: 30 added.") && summary.contains("Files: 30 written"))

        struct Status: Decodable {
            struct Model: Decodable { let name: String, dimension: Int }
            let products: Int, photos: Int, due: Int, isInterrupted: Bool, model: Model, failed: [String]
        }
        let status: Status = try shop.run("status", "--json").json()
        #expect(status.products == 30 && status.photos == 30 && status.due == 0 && !status.isInterrupted)
        #expect(status.model.name == "efficientnet-lite0" && status.model.dimension == 1280)

        struct Answer: Decodable {
            struct Match: Decodable { let product: String, image: String, score: Double }
            let query: String, isProduct: Bool, similar: [Match]
        }
        let document = try JSONDecoder().decode(
            Document.self, from: try #require(try shop.files()["products/bird/bird-001.json"]))
        for name in ["bird/bird-001", "bird/bird-001.jpg", "\(shop.photos)/bird/bird-001.jpg"] {
            let answer: Answer = try shop.run("similar", name, "--json").json()
            #expect(answer.isProduct && answer.query == "bird/bird-001")
            #expect(answer.similar.map(\.product) == document.recommendations.map(\.product))
            #expect(answer.similar.map(\.score) == document.recommendations.map(\.score))
        }
        let more: Answer = try shop.run("similar", "bird/bird-001", "--count", "29", "--json").json()
        #expect(
            more.similar.count == 29
                && Array(more.similar.map(\.product).prefix(5)) == document.recommendations.map(\.product))

        let most: Answer = try shop.run("similar", "bird/bird-001", "--count", "\(Int.max)", "--json").json()
        #expect(most.similar.count == 29)

        // A file that is not in the catalogue: a copy of a photo that is finds that photo.
        let copy = "\(shop.folder.path)/found.jpg"
        try FileManager.default.copyItem(atPath: "\(shop.photos)/fruit/fruit-002.jpg", toPath: copy)
        let outside: Answer = try shop.run("similar", copy, "--json").json()
        #expect(
            !outside.isProduct && outside.similar.first?.product == "fruit/fruit-002"
                && outside.similar.first?.score == 1)
        let unknown = try shop.run("similar", "nothing/of-the-kind")
        #expect(unknown.code == 66 && unknown.errors.contains("there is no product, photo or file"))
        #expect(try shop.run("similar", shop.settings).code == 65)

        let review = "\(shop.folder.path)/review"
        let gallery = try shop.run("gallery", "--output", review)
        #expect(gallery.code == 0 && gallery.output.contains("\(review)/index.html with 30 products"))
    }

    @Test("wrong settings and wrong words end with the right code and a remedy")
    func errors() throws {
        let shop = try Shop(perCategory: 0)
        try shop.configure("[recommendations]\ncuont = 3\n")
        let typo = try shop.run("reconcile")
        #expect(
            typo.code == 78
                && typo.errors.contains(
                    "shop.toml:8: unknown key recommendations.cuont. Did you mean recommendations.count?")
        )
        try shop.configure("[model]\nname = \"resnet\"\n")
        let model = try shop.run("reconcile")
        #expect(model.code == 69 && model.errors.contains("Name one of these: efficientnet-lite0"))
        #expect(try Shop.run([Shop.binary, "reconcile", "--config", "/nowhere.toml"]).code == 66)
        let near = try Shop.run([Shop.binary, "recncile"])
        #expect(near.code == 64)
        #expect(try Shop.run([Shop.binary, "--version"]).output.hasPrefix("0."))
        #expect(try Shop.run([Shop.binary, "--help"]).output.contains("imgrec-agent init"))
    }

    @Test("an output folder that cannot be written stops before anything is lost")
    func unwritable() throws {
        let shop = try Shop(perCategory: 1)
        try Data("in the way".utf8).write(to: URL(fileURLWithPath: shop.output))
        let result = try shop.run("reconcile")
        #expect(result.code == 73 && result.errors.contains("in the way"))
        try FileManager.default.removeItem(atPath: shop.output)
        #expect(try shop.run("reconcile").code == 0)
        #expect(try shop.files() == shop.cleanRun())
    }

    @Test("an empty folder of photos is no error")
    func nothing() throws {
        let shop = try Shop(perCategory: 0)
        let result = try shop.run("reconcile")
        #expect(result.code == 0 && result.output.contains("0 products"))
        #expect(try shop.files().keys.sorted() == ["index.json"])
        try shop.folder.write("photos/only.jpg", [UInt8](try Repository.fixture("imaging/photo-0.jpg")))
        #expect(try shop.run("reconcile").code == 0)
        let data = try #require(try shop.files()["products/only.json"])
        #expect(try JSONDecoder().decode(Document.self, from: data).recommendations.isEmpty)
    }
}

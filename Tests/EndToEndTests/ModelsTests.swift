import Foundation
import TestSupport
import Testing

@Suite("Models on the command line", .inLanes)
struct ModelsTests {
    private struct Entry: Decodable {
        let name: String
        let dimension: Int?
        let licence: String?
        let photosPerSecond: Double?
        let isInService: Bool
        let isInSettings: Bool
        let trouble: String?
    }

    private struct Check: Decodable {
        struct Golden: Decodable { let largestDifference: Double }
        let isDeterministic: Bool
        let photosPerSecond: Double
        let norms: [Double]
        let golden: Golden?
    }

    private static func network(_ name: String) -> String { "\(Repository.fixtures)/networks/\(name).onnx" }

    @Test(
        "those that came with the program are listed with their speed, and one that is damaged with what is wrong"
    )
    func list() throws {
        let shop = try Shop(perCategory: 0)
        let entries: [Entry] = try shop.run("models", "--json").json()
        #expect(entries.map(\.name) == ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
        #expect(
            entries.allSatisfy { $0.dimension == 1280 && $0.licence == "Apache-2.0" && $0.trouble == nil })
        #expect(entries.allSatisfy { ($0.photosPerSecond ?? 0) > 0 })
        #expect(entries.map(\.isInSettings) == [true, false, false])
        #expect(entries.map(\.isInService) == [false, false, false])
        // What was measured is kept.
        #expect(
            try shop.run("models", "--json").json([Entry].self).map(\.photosPerSecond)
                == entries.map(\.photosPerSecond))

        try shop.folder.write("state/models/broken/manifest.toml", Array("[model]\nname = 1\n".utf8))
        let text = try shop.run("models").output
        #expect(
            text.contains("broken") && text.contains("cannot be used")
                && text.contains("model.name must be text"))
    }

    @Test("a model says whether it does what it should")
    func check() throws {
        let shop = try Shop(perCategory: 0)
        for name in ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"] {
            let result = try shop.run("models", "check", name, "--json")
            #expect(result.code == 0, "\(result.errors)")
            let check: Check = try result.json()
            #expect(check.isDeterministic && check.photosPerSecond > 0 && check.norms.count == 1)
            // By the package's own code under PyTorch.
            #expect(try #require(check.golden).largestDifference < 1e-4)
        }
        let models = "\(shop.folder.path)/models"
        try FileManager.default.createDirectory(atPath: models, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "\(Repository.models)/efficientnet-lite0", toPath: "\(models)/efficientnet-lite0")
        let manifest = "\(models)/efficientnet-lite0/manifest.toml"
        let text = try String(contentsOfFile: manifest, encoding: .utf8)
        try text.replacing("channels = \"rgb\"", with: "channels = \"bgr\"").write(
            toFile: manifest, atomically: true, encoding: .utf8)
        try shop.configure("[model]\nfolder = \"models\"\n")
        let wrong = try shop.run("models", "check", "efficientnet-lite0")
        #expect(wrong.code == 65 && wrong.output.contains("WRONG: largest difference"))
    }

    @Test(
        "a network is added by what its file tells and what is said, and then used")
    func add() throws {
        let shop = try Shop(perCategory: 1)
        let added = try shop.run(
            "models", "add", Self.network("outputs"), "--name", "mine", "--normalisation", "imagenet",
            "--licence",
            "CC0-1.0", "--output", "tokens", "--pooling", "mean_tokens", "--first-token", "0", "--fit", "pad")
        #expect(added.code == 0, "\(added.errors)")
        let manifest = try String(contentsOfFile: "\(shop.state)/models/mine/manifest.toml", encoding: .utf8)
        for line in [
            "name = \"mine\"", "licence = \"CC0-1.0\"", "width = 32", "layout = \"nchw\"",
            "mean = [123.675, 116.28, 103.53]",
            "fit = \"pad\"", "dimension = 4", "pooling = \"mean_tokens\"", "first_token = 0",
        ] { #expect(manifest.contains(line), "\(line)") }
        try shop.configure("[model]\nname = \"mine\"\n")
        #expect(try shop.run("reconcile").code == 0)
        let file = try #require(try shop.files()["products/fruit/fruit-001.json"])
        #expect(String(decoding: file, as: UTF8.self).contains("\"model\": \"mine\""))
        let entries: [Entry] = try shop.run("models", "--json").json()
        #expect(entries.first { $0.name == "mine" }?.isInService == true)

        // Not twice, but a second name, or in its place.
        let again = [
            "models", "add", Self.network("open"), "--size", "32", "--normalisation", "unit", "--licence",
            "CC0-1.0",
            "--config", shop.settings,
        ]
        let taken = try Shop.run([Shop.binary] + again + ["--name", "mine"])
        #expect(
            taken.code == 65 && taken.errors.contains("there is a model") && taken.errors.contains("--force"))
        #expect(try Shop.run([Shop.binary] + again + ["--name", "mine", "--force"]).code == 0)
        // A folder with a manifest is taken as it is.
        let folder = "\(shop.folder.path)/exported"
        try FileManager.default.copyItem(atPath: "\(shop.state)/models/mine", toPath: folder)
        try FileManager.default.removeItem(atPath: "\(shop.state)/models/mine")
        #expect(try shop.run("models", "add", folder).output.contains("Added mine"))
        #expect(try shop.run("models", "check", "mine").output.contains("1024 dimensions"))
    }

    @Test(
        "what a file does not tell is asked for by the option's name, and what is wrong with it is said",
        arguments: [
            ("outputs", [], "--output NAME, one of: map, float32 [1, 4, 16, 16]; flat"),
            ("half", ["--licence", "X"], "--normalisation NAME, one of imagenet, clip"),
            ("half", ["--normalisation", "unit"], "--licence Apache-2.0"),
            ("open", [], "--size 224"),
            ("no-rank", [], "no fixed number of dimensions"),
            (
                "two-pictures", [],
                "it has 2 inputs (image float32 [1, 3, 32, 32]; other float32 [1, 3, 32, 32])"
            ),
            ("sound", [], "is no picture, which has four dimensions"),
            ("broken", [], "OpenVINO failed while reading"),
            ("nowhere", [], "there is no file or folder"),
        ])
    func errors(name: String, options: [String], message: String) throws {
        let shop = try Shop(perCategory: 0)
        let usual =
            options.isEmpty && name != "open" ? ["--licence", "X", "--normalisation", "unit"] : options
        let result = try Shop.run(
            [Shop.binary, "models", "add", Self.network(name), "--config", shop.settings] + usual)
        #expect([65, 70].contains(result.code))
        #expect(result.errors.contains(message), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(shop.state)/models/\(name)"))
    }

    @Test("several models are used as one")
    func ensemble() throws {
        let shop = try Shop(perCategory: 3)
        func lists(_ extra: String) throws -> [String: Data] {
            try shop.configure(extra)
            let result = try shop.run("reconcile")
            #expect(result.code == 0, "\(result.errors)")
            return try shop.files()
        }
        let both = try lists(
            "[embedding]\nmodels = [\"efficientnet-lite0\", \"efficientnet-lite2\"]\nweights = [1.0, 0.5]\n")
        let file = try #require(both["products/fruit/fruit-001.json"])
        #expect(
            String(decoding: file, as: UTF8.self).contains(
                "\"model\": \"efficientnet-lite0+efficientnet-lite2\""))
        #expect(try shop.run("verify", "--all").code == 0)
        #expect(
            try shop.run("similar", "\(Repository.catalogue)/fruit/fruit-020.jpg").output.contains("fruit/"))
        let inspected = try shop.run("inspect", "\(shop.photos)/fruit/fruit-001.jpg").output
        #expect(inspected.contains("by efficientnet-lite0") && inspected.contains("260 x 260"))
        // One alone is no more than itself.
        let one = try lists("[embedding]\nmodels = [\"efficientnet-lite2\"]\n")
        let alone = try lists("[model]\nname = \"efficientnet-lite2\"\n")
        #expect(one == alone)
        try shop.configure("[embedding]\nmodels = [\"efficientnet-lite2\"]\nweights = [1.0, 2.0]\n")
        let wrong = try shop.run("reconcile")
        #expect(
            wrong.code == 78
                && wrong.errors.contains(
                    "embedding.weights must have a number from 0.001 to 1000 for each model of embedding.models, which has 1"
                )
        )
    }
}

import Foundation
import TestSupport
import Testing

@Suite("Evaluate", .serialized, .inLanes)
struct EvaluateTests {
    private struct Evaluated: Decodable {
        struct Model: Decodable {
            let model: String
            let precisionAtK: Double
            let meanAveragePrecision: Double
            let embedded: Int
        }
        let queries: Int
        let unlabelled: Int
        let alone: Int
        let models: [Model]
    }

    private struct Expected: Decodable {
        let queries: Int
        let precisionAtK: Double
        let meanAveragePrecision: Double
    }

    private static let models = ["efficientnet-lite0", "efficientnet-lite1"]

    /// A shop whose catalogue has vectors of two models.
    private static func shop(perCategory: Int?, images: String = "") throws -> Shop {
        let shop = try Shop(perCategory: perCategory)
        for model in models {
            try shop.configure("[model]\nname = \"\(model)\"\n", images: images)
            let result = try shop.run("reconcile", "--quiet")
            guard result.code == 0 else { throw Shop.Failure(message: result.errors) }
        }
        return shop
    }

    private func expected(_ shop: Shop, by: String, _ k: Int, _ models: [String]) throws -> Expected {
        let script = "\(Repository.root)/Tests/Reference/evaluate.py"
        let python = "\(Repository.root)/.deps/test-environment/bin/python"
        let result = try Shop.run([python, script, "\(shop.state)/catalogue.sqlite", by, "\(k)"] + models)
        guard result.code == 0 else { throw Shop.Failure(message: result.errors) }
        return try result.json()
    }

    private func compare(_ shop: Shop, by: String, k: Int) throws {
        let both = Self.models.joined(separator: "+")
        let result = try shop.run(
            "evaluate", "--json", "--labels", by, "--at", "\(k)", "--models",
            "\(Self.models[0]),\(Self.models[1]),\(both)")
        try #require(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("about"))
        let found: Evaluated = try result.json()
        #expect(found.models.count == 3)
        #expect(
            found.models.map(\.meanAveragePrecision) == found.models.map(\.meanAveragePrecision).sorted(by: >)
        )
        for model in found.models {
            let expected = try expected(
                shop, by: by, k, model.model == both ? Self.models : [model.model])
            #expect(found.queries == expected.queries)
            #expect(abs(model.precisionAtK - expected.precisionAtK) < 1e-6, "\(model.model)")
            #expect(abs(model.meanAveragePrecision - expected.meanAveragePrecision) < 1e-6, "\(model.model)")
            print(
                "evaluate by \(by), k \(k): \(model.model) \(model.precisionAtK) \(model.meanAveragePrecision), numpy \(expected.precisionAtK) \(expected.meanAveragePrecision)"
            )
            // The catalogue had them, but for the two as one.
            #expect((model.embedded == 0) == (model.model != both))
        }
    }

    @Test("agrees with numpy over the whole catalogue, by folder, for one model and for two as one")
    func byFolder() throws {
        let shop = try Self.shop(perCategory: nil)
        for k in [1, 5, 500] { try compare(shop, by: "folders", k: k) }
        // A sample is of the same kind.
        let sample: Evaluated = try shop.run("evaluate", "--json", "--quiet", "--sample", "40").json()
        #expect(sample.queries == 40)
    }

    @Test("agrees with numpy for the photos of one product, and with a table of labels")
    func byProductAndTable() throws {
        let shop = try Self.shop(perCategory: 6, images: "product_pattern = '^(\\w+/\\w+-00[1-3])'\n")
        // Photos 1, 2 and 3 are products of their own; of others all of a folder would be. Here each is one but for copies.
        for name in ["fruit-001", "fruit-002"] {
            try FileManager.default.copyItem(
                atPath: "\(shop.photos)/fruit/fruit-006.jpg", toPath: "\(shop.photos)/fruit/\(name)-b.jpg")
        }
        for model in Self.models {
            try shop.configure(
                "[model]\nname = \"\(model)\"\n", images: "product_pattern = '^(\\w+/\\w+-00[1-3])'\n")
            try shop.run("reconcile", "--quiet")
        }
        try compare(shop, by: "products", k: 5)
        var table = "product,label\n"
        for (number, product) in [
            "fruit/fruit-001", "bird/bird-002", "mammal/mammal-005", "fruit/fruit-006", "\"tool/tool-001\"",
        ]
        .enumerated() {
            table += "\(product),\(number % 2 == 0 ? "\"even, so to speak\"" : "odd")\n"
        }
        table += "vegetable/vegetable-001,alone\nnowhere,odd\n"
        try shop.folder.write("labels.csv", Array(table.utf8))
        try compare(shop, by: "\(shop.folder.path)/labels.csv", k: 2)
        let found: Evaluated = try shop.run(
            "evaluate", "--json", "--quiet", "--labels", "\(shop.folder.path)/labels.csv"
        ).json()
        #expect(found.queries == 5 && found.alone == 1 && found.unlabelled > 40)
    }

    @Test("works before the first run, and what makes no sense is said")
    func errors() throws {
        let shop = try Shop(perCategory: 2)
        let found: Evaluated = try shop.run("evaluate", "--json", "--quiet").json()
        #expect(found.models.map(\.embedded) == [20] && found.queries == 20)
        #expect(
            try shop.run("evaluate", "--labels", "/nowhere.csv").errors.contains(
                "there is no file /nowhere.csv"))
        try shop.folder.write("labels.csv", Array("a,b\n1,2\n".utf8))
        let table = try shop.run("evaluate", "--labels", "\(shop.folder.path)/labels.csv")
        #expect(table.code == 65 && table.errors.contains("it names a, b"))
        let none = try shop.run("evaluate", "--quiet", "--labels", "products")
        #expect(none.code == 65 && none.errors.contains("no two photos have the same label"))
        #expect(
            try shop.run("evaluate", "--models", "resnet").errors.contains(
                "Name one of these: efficientnet-lite0"))
        #expect(try shop.run("evaluate", "--models", "a*x").errors.contains("names no model"))
    }
}

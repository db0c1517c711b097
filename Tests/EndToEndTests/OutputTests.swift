import Crypto
import Foundation
import Publishing
import Settings
import TestSupport
import Testing

/// A way to write the output, as lines of the settings file.
struct Form: Sendable, CustomTestStringConvertible {
    let name: String
    let output: String
    var testDescription: String { name }

    static let plain = Form(name: "a file for each product", output: "")
    static let all = [
        plain,
        Form(name: "sharded", output: "layout = \"sharded\"\n"),
        Form(name: "sharded by three digits", output: "layout = \"sharded\"\nshard_digits = 3\n"),
        Form(name: "one file", output: "layout = \"single\"\n"),
        Form(name: "compact", output: "format = \"compact\"\n"),
        Form(name: "one compact file", output: "layout = \"single\"\nformat = \"compact\"\n"),
        Form(
            name: "all fields and the component, sharded and compact",
            output: """
                layout = "sharded"
                format = "compact"
                image_base_url = "https://cdn.example.com/photos"
                fields = ["images", "digests"]
                component = true

                """),
        Form(
            name: "all fields in one file",
            output: "layout = \"single\"\nimage_base_url = \"/p/\"\nfields = [\"digests\", \"images\"]\n"),
    ]
}

extension Shop {
    func configure(_ form: Form, _ extra: String = "") throws { try configure(extra, output: form.output) }

    /// A product's document, found as a reader finds it: through the index.
    func published() throws -> [String: [String: Any]] {
        func object(_ path: String) throws -> [String: Any] {
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(output)/\(path)"))
            return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
        let products = try #require(try object("index.json")["products"] as? [String: [String: String]])
        return try products.reduce(into: [:]) { documents, entry in
            let file = try #require(entry.value["file"])
            var document = try object(file)
            if let all = document["products"] as? [String: [String: Any]] {
                document = try #require(all[entry.key])
            }
            documents[entry.key] = document
        }
    }

    /// Each product with its list: who, and how similar.
    func lists() throws -> [String: [String]] {
        try published().mapValues { document in
            let list = try #require(document["recommendations"] as? [[String: Any]])
            return list.map { "\($0["product"] ?? "") \($0["score"] ?? "")" }
        }
    }
}

@Suite("The forms of the output", .underUsualKernelLimits)
struct OutputTests {
    @Test("every form says the same, is true, and is written once", arguments: Form.all)
    func forms(form: Form) throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        let lists = try shop.lists()
        #expect(lists.count == 20)
        try shop.configure(form)
        let result = try shop.run("reconcile")
        #expect(result.code == 0, "\(result.errors)")
        #expect(try shop.lists() == lists)
        let verified = try shop.run("verify", "--all")
        #expect(verified.code == 0, "\(verified.output)\(verified.errors)")
        let report: Report = try shop.run("reconcile", "--json").json()
        #expect(report.published.written == 0 && report.published.removed == 0)
    }

    @Test(
        "whatever form follows whatever form, the end is what a first run in it writes", arguments: [1, 2, 3])
    func changes(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let shop = try Shop(perCategory: 2)
        var form = Form.plain
        for _ in 0..<8 {
            form = Form.all.randomElement(using: &random)!
            let count = Int.random(in: 3...6, using: &random)
            try shop.configure(form, "[recommendations]\ncount = \(count)\n")
            if Bool.random(using: &random) {
                try FileManager.default.moveItem(
                    atPath: "\(shop.photos)/fruit", toPath: "\(shop.folder.path)/away")
                try shop.run("reconcile")
                try FileManager.default.moveItem(
                    atPath: "\(shop.folder.path)/away", toPath: "\(shop.photos)/fruit")
            }
            if Bool.random(using: &random) { try FileManager.default.removeItem(atPath: shop.state) }
            let result = try shop.run("reconcile")
            #expect(result.code == 0, "\(result.errors)")
            let clean = try shop.cleanRun(
                extra: "[recommendations]\ncount = \(count)\n", output: form.output)
            #expect(try shop.files() == clean, "\(form.name), seed \(seed)")
        }
    }

    @Test("products that are less similar than min_score are not named, in files and by 'similar'")
    func minimumScore() throws {
        let shop = try Shop(perCategory: 2)
        try shop.run("reconcile")
        func scores() throws -> [Double] {
            try shop.published().values.flatMap {
                try #require($0["recommendations"] as? [[String: Any]]).compactMap { $0["score"] as? Double }
            }
        }
        let before = try scores()
        let limit = before.sorted()[before.count / 2]
        try shop.configure("[recommendations]\nmin_score = \(limit)\n")
        try shop.run("reconcile")
        #expect(try scores().sorted() == before.filter { $0 >= limit }.sorted())
        for (product, document) in try shop.published() {
            let listed = try shop.run("similar", product, "--json")
            let answer = try #require(
                JSONSerialization.jsonObject(with: Data(listed.output.utf8)) as? [String: Any])
            func names(_ entries: Any?) -> [String]? {
                (entries as? [[String: Any]])?.compactMap { $0["product"] as? String }
            }
            #expect(names(answer["similar"]) == names(document["recommendations"]))
        }
        try shop.configure("[recommendations]\nmin_score = 1.0\n")
        #expect(try shop.run("similar", "fruit/fruit-001").output.hasPrefix("No other product"))
    }

    @Test("photos have their addresses and the digests of their bytes")
    func photos() throws {
        let shop = try Shop(perCategory: 1)
        try FileManager.default.moveItem(
            atPath: "\(shop.photos)/fruit", toPath: "\(shop.photos)/50% off & more")
        try shop.configure(
            "", images: "product_pattern = '^(.*?)[^/]*$'\n",
            output: "fields = [\"digests\", \"images\"]\nimage_base_url = \"https://cdn.example.com/p\"\n")
        let result = try shop.run("reconcile")
        #expect(result.code == 0, "\(result.errors)")
        for document in try shop.published().values {
            let things =
                [document] + (try #require(document["recommendations"] as? [[String: Any]]))
            for thing in things {
                let images = try #require(thing["images"] as? [String])
                let addresses = try #require(thing["imageURLs"] as? [String])
                let digests = try #require(thing["imageDigests"] as? [String])
                for (image, (address, digest)) in zip(images, zip(addresses, digests)) {
                    let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(shop.photos)/\(image)"))
                    let hash = SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
                    #expect(digest == "sha256:\(hash)")
                    let prefix = "https://cdn.example.com/p/"
                    #expect(address.hasPrefix(prefix))
                    #expect(String(address.dropFirst(prefix.count)).removingPercentEncoding == image)
                    #expect(!address.contains(" ") && !address.contains("&"))
                }
                if let image = thing["image"] as? String {
                    #expect(image == images.first)
                    #expect(thing["imageURL"] as? String == addresses.first)
                    #expect(thing["imageDigest"] as? String == digests.first)
                }
            }
        }
    }

    @Test("the component lies beside the files where it is wanted, and goes where it is not")
    func component() throws {
        let shop = try Shop(perCategory: 1)
        try shop.configure("", output: "component = true\n")
        try shop.run("reconcile")
        #expect(try shop.files()["similar-products.js"] != nil)
        try shop.configure("")
        try shop.run("reconcile")
        #expect(try shop.files()["similar-products.js"] == nil)
        try shop.folder.write("out/similar-products.js", Array("alert('mine')".utf8))
        try shop.run("reconcile")
        #expect(try shop.files()["similar-products.js"] == Data("alert('mine')".utf8))
        try shop.configure("", output: "component = true\n")
        let refused = try shop.run("reconcile")
        #expect(refused.code != 0)
        #expect(refused.errors.contains("similar-products.js") && refused.errors.contains("Move it away"))
    }

    @Test("the published TypeScript types are those of the files", arguments: Form.all)
    func types(form: Form) throws {
        let shop = try Shop(perCategory: 1)
        let product = try #require(try firstProduct(shop))
        try shop.folder.write("products.csv", Array("product,title\n\(product),A title\n".utf8))
        try shop.configure("", output: form.output + attributes)
        try shop.run("reconcile")
        var program = """
            import type { AllProducts, Index, ProductDocument } from "\(Repository.root)/Docs/reference/contract/imgrec-agent";

            """
        for (number, (file, bytes)) in try shop.files().filter({ $0.key.hasSuffix(".json") }).enumerated() {
            let type = ["index.json": "Index", "all.json": "AllProducts"][file, default: "ProductDocument"]
            program += "export const file\(number): \(type) = \(String(decoding: bytes, as: UTF8.self));\n"
        }
        try shop.folder.write("check.ts", Array(program.utf8))
        func check() throws -> Shop.Result {
            try Shop.run([
                "tsc", "--noEmit", "--strict", "--target", "es2022", "\(shop.folder.path)/check.ts",
            ])
        }
        let result = try check()
        #expect(result.code == 0, "\(result.output)")
        guard form.output.isEmpty else { return }
        // It would be told if a member were not in the types.
        try shop.folder.write(
            "check.ts", Array(program.replacing("\"model\"", with: "\"modell\"").utf8))
        #expect(try check().output.contains("modell"))
    }

    // MARK: Attributes

    private let attributes = "attributes = \"products.csv\"\n"

    @Test("what a table says of products is in the files, and new files follow a new table")
    func table() throws {
        let shop = try Shop(perCategory: 2)
        let product = try #require(try firstProduct(shop))
        try shop.configure("", output: attributes)
        try shop.folder.write(
            "products.csv",
            Array(
                "\u{FEFF}product;title;price\r\n\(product);\"A \"\"red\"\"; dress\";49 €\r\nno/such;x;\r\n"
                    .utf8))
        let report = try shop.run("reconcile")
        #expect(report.code == 0)
        #expect(report.output.contains("Attributes: 2 products in the table, 1 of them known"))
        let expected = ["title": "A \"red\"; dress", "price": "49 €"]
        var named = 0
        for (id, document) in try shop.published() {
            #expect(document["attributes"] as? [String: String] == (id == product ? expected : nil))
            for one in try #require(document["recommendations"] as? [[String: Any]]) {
                let isIt = one["product"] as? String == product
                named += isIt ? 1 : 0
                #expect(one["attributes"] as? [String: String] == (isIt ? expected : nil))
            }
        }
        #expect(named > 0)
        try shop.folder.write("products.csv", Array("product,title\n\(product),Blue\n".utf8))
        try shop.run("reconcile")
        #expect(try shop.published()[product]?["attributes"] as? [String: String] == ["title": "Blue"])
        #expect(try shop.run("verify", "--all").code == 0)
    }

    private func firstProduct(_ shop: Shop) throws -> String? {
        try shop.run("reconcile")
        return try shop.published().keys.min()
    }

    @Test(
        "a table that cannot be used is named with the reason, and nothing is written",
        arguments: [
            (Array("title\nx\n".utf8), "has to name a column \"product\""),
            (Array("product,title,title\n".utf8), "two columns are called title"),
            (Array("product,\n".utf8), "column 2 has no name"),
            (Array("product,title\na,1\na,2\n".utf8), "the product a is in it more than once"),
            (Array("product,title\na,".utf8) + [0xFF, 0x0A], "it is not UTF-8"),
            (nil, "Correct output.attributes"),
        ] as [([UInt8]?, String)])
    func badTable(content: [UInt8]?, reason: String) throws {
        let shop = try Shop(perCategory: 1)
        try shop.run("reconcile")
        let before = try shop.files()
        try shop.configure("", output: attributes)
        if let content { try shop.folder.write("products.csv", content) }
        let result = try shop.run("reconcile")
        #expect(result.code != 0)
        #expect(result.errors.contains("products.csv") && result.errors.contains(reason), "\(result.errors)")
        #expect(try shop.files() == before)
    }

    @Test("a running agent follows the table, and is not idle before it has")
    func runningTable() throws {
        let shop = try Shop(perCategory: 1)
        let product = try #require(try firstProduct(shop))
        try shop.folder.write("products.csv", Array("product,title\n\(product),First\n".utf8))
        try shop.configure("", output: attributes)
        let agent = try RunningAgent(shop)
        try agent.wait()
        func title() throws -> String? {
            (try shop.published()[product]?["attributes"] as? [String: String])?["title"]
        }
        #expect(try title() == "First")
        for number in 0..<5 {
            try shop.folder.write("products.csv", Array("product,title\n\(product),Number \(number)\n".utf8))
            #expect(try eventually { try agent.status().running?.state == "idle" })
            #expect(try title() == "Number \(number)")
        }
        try shop.folder.write("products.csv", Array("titel\nx\n".utf8))
        #expect(try eventually { try agent.status().running?.trouble?.contains("products.csv") ?? false })
        #expect(try title() == "Number 4")
        try shop.folder.write("products.csv", Array("product,title\n\(product),Mended\n".utf8))
        #expect(try eventually { try title() == "Mended" })
        #expect(try eventually { try agent.status().running?.state == "idle" })
    }
}

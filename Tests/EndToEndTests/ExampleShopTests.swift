import Foundation
import TestSupport
import Testing

/// An example shop as a reader of the documentation makes it: a copy of Examples, photos, and its own script.
private final class ExampleShop {
    enum Kind: String, CaseIterable {
        case hugo, jekyll, plain

        var photos: String {
            ["hugo": "static/photos", "jekyll": "photos", "plain": "site/photos"][rawValue]!
        }
        var site: String { ["hugo": "public", "jekyll": "_site", "plain": "site"][rawValue]! }
        var output: String {
            [
                "hugo": "assets/recommendations", "jekyll": "_data/recommendations",
                "plain": "site/recommendations",
            ][rawValue]!
        }
        func page(_ product: String) -> String {
            self == .plain ? "products/\(product).html" : "products/\(product)/"
        }
    }

    let kind: Kind
    let folder: TemporaryFolder
    var root: String { "\(folder.path)/\(kind.rawValue)" }
    var photos: String { "\(root)/\(kind.photos)" }
    var site: String { "\(root)/\(kind.site)" }
    var output: String { "\(root)/\(kind.output)" }

    init(_ kind: Kind, perCategory: Int = 4) throws {
        self.kind = kind
        folder = try TemporaryFolder()
        let copied = try Shop.run(["cp", "-rL", "\(Repository.root)/Examples/.", folder.path])
        guard copied.code == 0 else { throw Shop.Failure(message: copied.errors) }
        let shop = try Shop(perCategory: perCategory)
        try FileManager.default.createDirectory(
            at: URL(fileURLWithPath: photos).deletingLastPathComponent(), withIntermediateDirectories: true)
        // Where there is no generator, photos that lie elsewhere, as `make demo` has them.
        let target = kind == .plain ? "\(folder.path)/elsewhere" : photos
        try FileManager.default.copyItem(atPath: shop.photos, toPath: target)
        if target != photos {
            try FileManager.default.createSymbolicLink(atPath: photos, withDestinationPath: target)
        }
    }

    @discardableResult
    func rebuild() throws -> String {
        let programs = URL(fileURLWithPath: Shop.binary).deletingLastPathComponent().path
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let result = try Shop.run(["env", "PATH=\(programs):\(path)", "\(root)/rebuild"])
        guard result.code == 0 else { throw Shop.Failure(message: result.output + result.errors) }
        return result.output
    }

    /// Each product's list, as its file has it.
    func lists() throws -> [String: [String]] {
        func object(_ path: String) throws -> [String: Any] {
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(output)/\(path)"))
            return try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        }
        let products = try object("index.json")["products"] as? [String: [String: String]] ?? [:]
        return try products.reduce(into: [:]) { lists, entry in
            let file = try object(entry.value["file"] ?? "")
            let document = (file["products"] as? [String: [String: Any]])?[entry.key] ?? file
            let list = document["recommendations"] as? [[String: Any]] ?? []
            lists[entry.key] = list.compactMap { $0["product"] as? String }
        }
    }
}

@Suite("The example shops", .underUsualKernelLimits, .serialized)
struct ExampleShopTests {
    /// The links to similar products on a page, as a visitor has them.
    private static let links = """
        (() => {
          const element = document.querySelector("similar-products");
          const list = element?.shadowRoot?.querySelector("ul[part=list]") ?? element ?? document.querySelector("section");
          return [...list.querySelectorAll("a")].map(a => decodeURIComponent(a.pathname));
        })()
        """

    @Test(
        "each page shows its similar products, on a desk and on a phone", arguments: ExampleShop.Kind.allCases
    )
    fileprivate func pages(kind: ExampleShop.Kind) throws {
        let shop = try ExampleShop(kind)
        try shop.rebuild()
        let lists = try shop.lists()
        #expect(lists.count == 40)
        let server = try StaticServer(shop.site)
        let browser = try Browser()
        for device in Page.Device.allCases {
            let product = device == .phone ? "bird/bird-001" : "fruit/fruit-001"
            let page = try Page(browser, on: device)
            try page.open("\(server.address)/\(kind.page(product))")
            let wanted = try #require(lists[product]).map { "/\(kind.page($0))" }
            if kind == .plain {
                try page.wait(
                    until:
                        "document.querySelector('similar-products').shadowRoot?.querySelector('ul[part=list]')"
                )
            }
            #expect(try page.evaluate(Self.links) == wanted)
            try page.wait(until: "document.querySelector('main img').naturalWidth > 0")
            // What is in sight arrives.
            try browser.listen(seconds: 1)
            let cost = try page.cost()
            print("\(kind.rawValue) on \(device.rawValue): \(cost)")
            #expect(cost.layoutShift < 0.001)
            // Every link leads to a page, and every photo is there.
            let broken: [String] = try page.evaluate(
                """
                (async () => {
                  const root = document.querySelector("similar-products")?.shadowRoot ?? document;
                  const places = [...root.querySelectorAll("a")].map(a => a.href)
                    .concat([...root.querySelectorAll("img")].map(i => i.src));
                  const answers = await Promise.all(places.map(async place => [(await fetch(place)).ok, place]));
                  return answers.filter(([ok]) => !ok).map(([, place]) => place);
                })()
                """)
            #expect(broken.isEmpty)
            #expect(page.errors == [])
            try page.expectAccessible()
            #expect(try page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
            try page.screenshot("example-\(kind.rawValue)-\(device.rawValue)")
        }
        let front = try Page(browser)
        try front.open("\(server.address)/")
        #expect(try front.evaluate("document.querySelectorAll('.grid a').length") == 40)
        try front.expectAccessible()
    }

    @Test(
        "a rebuild follows the photos, and changes nothing that would make another",
        arguments: ExampleShop.Kind.allCases)
    fileprivate func rebuilding(kind: ExampleShop.Kind) throws {
        let shop = try ExampleShop(kind, perCategory: 2)
        try shop.rebuild()
        let before = try TemporaryFolder.contents(of: shop.output)
        func stamp() throws -> Date? {
            try FileManager.default.attributesOfItem(atPath: "\(shop.output)/index.json")[.modificationDate]
                as? Date
        }
        let time = try stamp()
        let again = try shop.rebuild()
        #expect(again.contains("20 unchanged") && again.contains("0 written"), "\(again)")
        #expect(try stamp() == time)
        #expect(try TemporaryFolder.contents(of: shop.output) == before)

        try FileManager.default.moveItem(
            atPath: "\(shop.photos)/fruit/fruit-001.jpg", toPath: "\(shop.photos)/fruit/gown.jpg")
        try shop.rebuild()
        let pages = try TemporaryFolder.contents(of: shop.site).filter { $0.key.hasSuffix(".html") }
        #expect(pages.keys.contains { $0.contains("products/fruit/gown") })
        let neighbours = try shop.lists().filter { $0.value.contains("fruit/gown") }
        #expect(!neighbours.isEmpty)
        for product in neighbours.keys {
            let page = try #require(pages.first { $0.key.contains("products/\(product)") })
            let text = String(decoding: page.value, as: UTF8.self)
            #expect(text.contains("fruit/gown") && !text.contains("fruit-001"), "\(page.key)")
        }
    }

    @Test("what the README says about Hugo, word for word, puts similar products on the pages of a new site")
    func readme() throws {
        let text = try String(contentsOfFile: "\(Repository.root)/README.md", encoding: .utf8)
        let start = try #require(text.range(of: "### On the pages in five minutes, with Hugo")).upperBound
        let end = try #require(text.range(of: "\n### ", range: start..<text.endIndex)).lowerBound
        let blocks = text[start..<end].matches(of: /```([a-z-]+)\n((?:.|\n)*?)```/).map {
            (language: String($0.1), text: String($0.2))
        }
        #expect(blocks.map(\.language) == ["sh", "sh", "go-html-template", "yaml", "sh"])

        // A site as somebody has it who has never heard of the agent.
        let folder = try TemporaryFolder()
        let site = "\(folder.path)/site"
        #expect(try Shop.run(["hugo", "new", "site", site]).code == 0)
        try folder.write(
            "site/layouts/_default/single.html",
            Array(
                "<html lang=\"en\"><title>{{ .Title }}</title><h1>{{ .Title }}</h1>\n\(blocks[2].text)</html>"
                    .utf8))
        let shop = try Shop(perCategory: 2)
        try FileManager.default.copyItem(atPath: shop.photos, toPath: "\(site)/static/photos")
        // The README's product is a dress.
        let dresses = "\(site)/static/photos/dress"
        try FileManager.default.moveItem(atPath: "\(site)/static/photos/fruit", toPath: dresses)
        for number in 1...2 {
            try FileManager.default.moveItem(
                atPath: "\(dresses)/fruit-00\(number).jpg", toPath: "\(dresses)/dress-00\(number).jpg")
        }
        try folder.write(
            "site/content/products/blue.md",
            Array("---\ntitle: A blue dress\n\(blocks[3].text)---\n".utf8))

        // The tree may lie where a shell reads a path as several words.
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/examples", withDestinationPath: "\(Repository.root)/Examples")
        let programs = URL(fileURLWithPath: Shop.binary).deletingLastPathComponent().path
        func run(_ script: String) throws {
            let result = try Shop.run([
                "env", "--chdir", site,
                "PATH=\(programs):\(ProcessInfo.processInfo.environment["PATH"] ?? "")",
                "sh", "-e", "-c", script,
            ])
            #expect(result.code == 0, "\(script)\(result.output)\(result.errors)")
        }
        for number in [0, 1, 4] {
            try run(
                blocks[number].text.replacing(
                    "/usr/local/share/doc/imgrec-agent/examples", with: "\(folder.path)/examples"))
        }
        // Twenty products, of which one had its page.
        let pages = try TemporaryFolder.contents(of: "\(site)/content")
        #expect(pages.count == 20 && pages["products/dress/dress-001.md"] == nil)
        try run("hugo")

        let server = try StaticServer("\(site)/public")
        let page = try Page(try Browser())
        try page.open("\(server.address)/products/blue/")
        let index = try Data(
            contentsOf: URL(fileURLWithPath: "\(site)/assets/recommendations/products/dress/dress-001.json"))
        let wanted = try JSONDecoder().decode(Document.self, from: index).recommendations.map(\.product)
        #expect(wanted.count == 5)
        #expect(
            try page.evaluate("[...document.querySelectorAll('li a')].map(a => a.pathname)")
                == wanted.map { "/products/\($0)/" })
        try page.wait(
            until: "[...document.images].length === 5 && [...document.images].every(i => i.naturalWidth)")
        #expect(page.errors.filter { !$0.contains("favicon") } == [])
    }

    @Test(
        "photos that go take their products' pages with them, and odd names break nothing",
        arguments: ExampleShop.Kind.allCases)
    fileprivate func oddNames(kind: ExampleShop.Kind) throws {
        let shop = try ExampleShop(kind, perCategory: 2)
        let names = ["index", "_index", "50% off", "what?", "no #1", "2099-01-02-new", "a b", "ü"]
        for name in names {
            try FileManager.default.copyItem(
                atPath: "\(shop.photos)/fruit/fruit-001.jpg", toPath: "\(shop.photos)/fruit/\(name).jpg")
        }
        try shop.rebuild()
        let server = try StaticServer(shop.site)
        func broken(_ address: String) throws -> [String] {
            let page = try Page(try Browser())
            try page.open("\(server.address)/\(address)")
            return try page.evaluate(
                """
                (async () => {
                  const places = [...document.querySelectorAll(".grid a")].map(a => a.href).concat([...document.images].map(i => i.src));
                  const answers = await Promise.all(places.map(async place => [(await fetch(place)).ok, place]));
                  return answers.filter(([ok]) => !ok).map(([, place]) => place);
                })()
                """)
        }
        // Jekyll passes over photos whose names begin with _.
        let known = kind == .jekyll ? ["_index"] : []
        func isKnown(_ address: String) -> Bool { known.contains { address.contains($0) } }
        #expect(try broken("").filter { !isKnown($0) } == [])
        #expect(try broken(kind.page("fruit/fruit-001")).filter { !isKnown($0) } == [])

        // What goes, and what gets another ending.
        try FileManager.default.removeItem(atPath: "\(shop.photos)/bird/bird-001.jpg")
        try FileManager.default.moveItem(
            atPath: "\(shop.photos)/bird/bird-002.jpg", toPath: "\(shop.photos)/bird/bird-002.jpeg")
        try shop.rebuild()
        #expect(try broken("").filter { !isKnown($0) } == [])
        let front = try String(contentsOfFile: "\(shop.site)/index.html", encoding: .utf8)
        #expect(!front.contains("bird-001") && front.contains("bird-002.jpeg"))
    }

    @Test("a shop's own script that rebuilds all may be the hook", arguments: ExampleShop.Kind.allCases)
    fileprivate func rebuildAsHook(kind: ExampleShop.Kind) throws {
        let shop = try ExampleShop(kind, perCategory: 1)
        let settings = "\(shop.root)/shop.toml"
        let text = try String(contentsOfFile: settings, encoding: .utf8)
        try Data("\(text)\n[publish]\nhook = [\"\(shop.root)/rebuild\"]\ntimeout_seconds = 30\n".utf8).write(
            to: URL(fileURLWithPath: settings))
        let programs = URL(fileURLWithPath: Shop.binary).deletingLastPathComponent().path
        let result = try Shop.run([
            "env", "PATH=\(programs):\(ProcessInfo.processInfo.environment["PATH"] ?? "")", Shop.binary,
            "reconcile",
            "--config", settings,
        ])
        #expect(result.code == 0, "\(result.errors)")
        #expect(result.errors.contains("hook: Called from the hook"))
        #expect(FileManager.default.fileExists(atPath: "\(shop.site)/index.html"))
    }

    @Test("the shop without a generator opens from disk, without script and without a server")
    func fromDisk() throws {
        let shop = try ExampleShop(.plain, perCategory: 2)
        try shop.rebuild()
        let page = try Page(try Browser())
        try page.open("file://\(shop.site)/products/fruit/fruit-001.html")
        let links: [String] = try page.evaluate(Self.links)
        #expect(links == (try shop.lists())["fruit/fruit-001"]!.map { "\(shop.site)/products/\($0).html" })
        #expect(
            try page.evaluate(
                "document.querySelector('similar-products a').getBoundingClientRect().height > 50",
                as: Bool.self))
        try page.wait(until: "[...document.images].slice(0, 3).every(i => i.naturalWidth > 0)")
        #expect(page.errors == [])
        try page.screenshot("example-plain-from-disk")
        // And a click leads on.
        try page.click("document.querySelector('similar-products a')")
        try page.wait(until: "location.pathname === '\(links[0])'")
    }

    @Test("the loaders for Eleventy and Astro give what the files say, in every form", arguments: Form.all)
    func loaders(form: Form) throws {
        let shop = try Shop(perCategory: 2)
        try shop.configure(form)
        try shop.run("reconcile")
        // Beside the output, where it looks; and called as Eleventy calls it, with its own data.
        let loader = "\(shop.folder.path)/_data/recommendations.cjs"
        try shop.folder.write(
            "_data/recommendations.cjs",
            try Data(
                contentsOf: URL(
                    fileURLWithPath: "\(Repository.root)/Examples/eleventy/_data/recommendations.cjs")))
        try FileManager.default.createSymbolicLink(
            atPath: "\(shop.folder.path)/recommendations", withDestinationPath: shop.output)
        let program = """
            const eleventy = require("\(loader)")({ eleventy: {} });
            const data = {};
            const store = { clear() {}, set({ id, data: entry }) { data[id] = entry; } };
            import("\(Repository.root)/Examples/astro/src/recommendations.mjs").then(async ({ recommendations }) => {
              await recommendations("\(shop.output)").load({ store, parseData: async ({ data }) => data });
              console.log(JSON.stringify({ eleventy, astro: Object.fromEntries(Object.entries(data).map(([id, one]) => [id, one.recommendations])) }));
            });
            """
        let result = try Shop.run(["node", "-e", program])
        #expect(result.code == 0, "\(result.errors)")
        struct Lists: Decodable {
            struct One: Decodable { let product: String }
            let eleventy: [String: [One]]
            let astro: [String: [One]]
        }
        let lists: Lists = try result.json()
        let wanted = try shop.published().mapValues { document in
            (document["recommendations"] as? [[String: Any]] ?? []).map { $0["product"] as? String }
        }
        #expect(wanted.count == 20)
        #expect(lists.eleventy.mapValues { $0.map(\.product) } == wanted)
        #expect(lists.astro.mapValues { $0.map(\.product) } == wanted)
    }
}

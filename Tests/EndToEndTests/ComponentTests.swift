import Foundation
import TestSupport
import Testing

/// A small site: the agent's output with the component, the photos, and pages that a test writes.
private final class Site {
    let shop: Shop
    let server: StaticServer
    let browser: Browser

    init(output: String = "", table: String? = nil, hasScrollbars: Bool = false) throws {
        shop = try Shop(perCategory: 2)
        var output = "component = true\n" + output
        if let table {
            try shop.folder.write("products.csv", Array(table.utf8))
            output += "attributes = \"products.csv\"\n"
        }
        try shop.configure("", output: output)
        guard try shop.run("reconcile").code == 0 else { throw Shop.Failure(message: "no output") }
        server = try StaticServer(shop.folder.path)
        browser = try Browser(hasScrollbars: hasScrollbars)
    }

    /// Opens a page with this in its body.
    func open(
        _ body: String, head: String = "", on device: Page.Device = .desktop,
        _ prepare: (Page) throws -> Void = { _ in }
    ) throws -> Page {
        let page = try Page(browser, on: device)
        try prepare(page)
        try shop.folder.write(
            "page.html",
            Array(
                """
                <!doctype html><html lang="en"><head><meta charset="utf-8"><title>A product</title>
                <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
                <style>
                  body { font: 16px/1.4 sans-serif; margin: 1rem; }
                  @media (scripting: enabled) {
                    similar-products:not(:defined):not(:has(> :not(template, [slot]))) { display: block; padding-bottom: calc(clamp(8rem, (100% - 4rem) / 5, 13rem) + 4.6em); }
                  }
                </style>
                \(head)<script src="out/similar-products.js" defer></script></head>
                <body><main><h1>A product</h1>\(body)</main></body></html>
                """.utf8))
        try page.open("\(server.address)/page.html")
        return page
    }

    var first: String {
        get throws { try #require(try shop.published().keys.min()) }
    }

    func list(of product: String) throws -> [(product: String, image: String)] {
        let document = try #require(try shop.published()[product])
        return try #require(document["recommendations"] as? [[String: Any]]).map {
            ($0["product"] as? String ?? "", $0["image"] as? String ?? "")
        }
    }
}

extension Page {
    /// What is in the component.
    private static let root = "document.querySelector('similar-products').shadowRoot"

    fileprivate func waitForList() throws { try wait(until: "\(Self.root).querySelector('ul[part=list]')") }

    fileprivate func texts(_ selector: String, _ property: String) throws -> [String] {
        try evaluate("[...\(Self.root).querySelectorAll('\(selector)')].map(e => e.\(property))")
    }
}

@Suite("The component <similar-products>", .underUsualKernelLimits, .serialized)
struct ComponentTests {
    @Test("is less than 5 kB compressed, and needs nothing else")
    func size() throws {
        let file = "\(Repository.root)/Sources/Publishing/Resources/similar-products.js"
        let compressed = try Shop.run(["sh", "-c", "gzip -9 < '\(file)' | wc -c"])
        let bytes = try #require(Int(compressed.output.trimmingCharacters(in: .whitespacesAndNewlines)))
        print("similar-products.js: \(bytes) bytes compressed")
        #expect(bytes < 5000)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(!text.contains("import ") && !text.contains("require(") && !text.contains("http:"))
    }

    @Test(
        "shows the products of the file, in its order, with links and photos", arguments: Page.Device.allCases
    )
    func shows(device: Page.Device) throws {
        let site = try Site()
        let product = try site.first
        let page = try site.open(
            """
            <similar-products product="\(product)" src="out" images="photos" link="/p/{product}/" label="Like this">
            </similar-products><p id="below">Below</p>
            """, on: device)
        try page.waitForList()
        let list = try site.list(of: product)
        #expect(list.count == 5)
        #expect(
            try page.texts("a", "getAttribute('href')")
                == list.map { "\(site.server.address)/p/\($0.product)/" })
        #expect(
            try page.texts("img", "src") == list.map { "\(site.server.address)/photos/\($0.image)" })
        #expect(try page.texts("img", "alt").allSatisfy { !$0.isEmpty })
        #expect(try page.texts("img", "loading") == Array(repeating: "lazy", count: 5))
        #expect(try page.texts("ul", "getAttribute('aria-label')") == ["Like this"])
        try page.wait(
            until:
                "[...document.querySelector('similar-products').shadowRoot.querySelectorAll('img')].slice(0, 2).every(i => i.complete && i.naturalWidth)"
        )
        try page.screenshot("component-\(device.rawValue)")
        let cost = try page.cost()
        print("component on \(device.rawValue): \(cost)")
        #expect(cost.layoutShift == 0)
        #expect(page.errors.isEmpty)
        try page.expectAccessible()
        // The page itself is not wider than the window; the list scrolls.
        #expect(try page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
    }

    @Test("finds a product's file in every form of the output", arguments: Form.all)
    func forms(form: Form) throws {
        let site = try Site(output: form.output.replacing("component = true\n", with: ""))
        let product = try site.first
        let digits = form.output.contains("shard") ? (form.output.contains("3") ? 3 : 2) : 0
        let source = form.output.contains("single") ? "out/all.json" : "out"
        let page = try site.open(
            "<similar-products product=\"\(product)\" src=\"\(source)\" shard-digits=\"\(digits)\" images=\"photos\"></similar-products>"
        )
        try page.waitForList()
        let list = try site.list(of: product)
        let names = list.map { one in
            let words = String(one.product.split(separator: "/").last!).replacing("-", with: " ")
            return words.prefix(1).uppercased() + words.dropFirst()
        }
        #expect(try page.texts(".name", "textContent") == names)
    }

    @Test("finds files by the same rule as the agent, whatever a product is called")
    func paths() throws {
        let site = try Site()
        let names = [
            "50% off", "a.json/b", "ü/é", "e\u{301}", "what?#&", "a\\b",
            String(repeating: "ü", count: 100) + "x",
            "new\nline", "\u{85}", " space ", "a+b",
        ]
        for name in names {
            let source = "\(site.shop.photos)/fruit"
            let photo = try #require(try FileManager.default.contentsOfDirectory(atPath: source).min())
            let target = "\(site.shop.photos)/odd/\(name).jpg"
            try FileManager.default.createDirectory(
                at: URL(fileURLWithPath: target).deletingLastPathComponent(),
                withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: "\(source)/\(photo)", toPath: target)
        }
        for digits in [0, 2] {
            if digits > 0 {
                try site.shop.configure("", output: "component = true\nlayout = \"sharded\"\n")
            }
            #expect(try site.shop.run("reconcile").code == 0)
            let page = try site.open("")
            for name in names {
                let id = try #require(String(data: try JSONEncoder().encode("odd/\(name)"), encoding: .utf8))
                try page.run(
                    """
                    const element = document.createElement("similar-products");
                    element.setAttribute("src", "out");
                    element.setAttribute("images", "photos");
                    element.setAttribute("shard-digits", \(digits));
                    element.setAttribute("product", \(id));
                    document.querySelector("main").replaceChildren(element);
                    """)
                #expect(throws: Never.self, "\(name), \(digits) digits") { try page.waitForList() }
            }
            // Photos with odd names are found too.
            try page.wait(
                until:
                    "[...document.querySelector('similar-products').shadowRoot.querySelectorAll('img')].every(i => i.complete && i.naturalWidth)"
            )
            #expect(page.errors.isEmpty)
        }
    }

    @Test("shows what the shop's table says, and nothing of it becomes script or a link to one")
    func attributes() throws {
        let site = try Site()
        let product = try site.first
        let list = try site.list(of: product)
        try site.shop.folder.write(
            "products.csv",
            Array(
                """
                product,title,url,price
                \(list[0].product),<img src=x onerror=alert(1)>,https://shop.example/one,49 €
                \(list[1].product),Second,javascript:alert(1),
                """.utf8))
        try site.shop.configure("", output: "component = true\nattributes = \"products.csv\"\n")
        #expect(try site.shop.run("reconcile").code == 0)
        let page = try site.open(
            "<similar-products product=\"\(product)\" src=\"out\" images=\"photos\"></similar-products>")
        try page.waitForList()
        #expect(
            Array(try page.texts(".name", "textContent").prefix(2)) == [
                "<img src=x onerror=alert(1)>", "Second",
            ])
        #expect(try page.texts("a", "href") == ["https://shop.example/one"])
        #expect(try page.texts(".price", "textContent").first == "49 €")
        #expect(page.errors.isEmpty)
        // Without links the list itself can be reached by key.
        try page.expectAccessible()
    }

    @Test("whatever a table's column holds, a template makes no script of it")
    func hostileTemplate() throws {
        let site = try Site()
        let product = try site.first
        let list = try site.list(of: product)
        try site.shop.folder.write(
            "products.csv",
            Array("product,buy,more\n\(list[0].product),javascript:document.title=1,/cart\n".utf8))
        try site.shop.configure("", output: "component = true\nattributes = \"products.csv\"\n")
        try site.shop.run("reconcile")
        let page = try site.open(
            """
            <similar-products product="\(product)" src="out" images="photos" limit="1">
            <template><a class="buy" data-href="buy">Buy</a><a class="more" data-href="more">More</a><img data-src="buy"></template>
            </similar-products>
            """)
        try page.waitForList()
        #expect(try page.texts(".buy", "href") == [""])
        #expect(try page.texts("img", "src") == [""])
        #expect(try page.texts(".more", "pathname") == ["/cart"])
    }

    @Test("a page that allows no inline styles has the list as it is elsewhere")
    func contentSecurityPolicy() throws {
        let site = try Site()
        let product = try site.first
        let page = try site.open(
            "<similar-products product=\"\(product)\" src=\"out\" images=\"photos\"></similar-products>",
            head: "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'self'\">")
        try page.waitForList()
        #expect(
            try page.evaluate(
                "getComputedStyle(document.querySelector('similar-products').shadowRoot.querySelector('ul')).display"
            ) == "grid")
    }

    @Test("a template is the card, and parts are styled from outside")
    func template() throws {
        let site = try Site()
        let product = try site.first
        let page = try site.open(
            """
            <style>similar-products::part(list) { background: rgb(251, 252, 253); }</style>
            <similar-products product="\(product)" src="out" images="photos" link="/p/{product}" limit="3">
              <h2 slot="heading">You may also like</h2>
              <template><a data-href="url"><img data-src="image"><b data-text="score"></b></a></template>
            </similar-products>
            """)
        try page.waitForList()
        let list = try site.list(of: product)
        #expect(try page.texts("b", "textContent").count == 3)
        #expect(try page.texts("a", "pathname") == list.prefix(3).map { "/p/\($0.product)" })
        #expect(try page.texts("img", "alt").allSatisfy { !$0.isEmpty })
        #expect(
            try page.evaluate(
                "getComputedStyle(document.querySelector('similar-products').shadowRoot.querySelector('ul')).backgroundColor"
            ) == "rgb(251, 252, 253)")
        #expect(
            try page.evaluate(
                "document.querySelector('h2').getBoundingClientRect().height > 0", as: Bool.self))
        try page.expectAccessible()
    }

    @Test("a click and a key tell which product was chosen, and may be stopped")
    func events() throws {
        let site = try Site()
        let product = try site.first
        let page = try site.open(
            """
            <similar-products product="\(product)" src="out" images="photos" link="/p/{product}"></similar-products>
            <script>
              window.told = [];
              addEventListener("similar-products:load", event => told.push(["load", event.detail.count]));
              addEventListener("similar-products:click", event => {
                told.push(["click", event.detail.product, event.detail.recommendation, event.detail.rank]);
                event.preventDefault();
              });
            </script>
            """)
        try page.waitForList()
        let list = try site.list(of: product)
        let link = "document.querySelector('similar-products').shadowRoot.querySelectorAll('a')"
        try page.click("\(link)[1]")
        try page.wait(until: "told.length > 1")
        // From the first link, three steps of the Tab key lead to the fourth.
        try page.run("\(link)[0].focus()")
        for _ in 0..<3 { try page.press("Tab", code: 9) }
        try page.send(
            "Input.dispatchKeyEvent",
            ["type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"])
        try page.wait(until: "told.length > 2")
        let told: [[Any]] = try page.evaluate("told")
        #expect(told[0][1] as? Int == 5)
        #expect(told[1].compactMap { $0 as? String } == ["click", product, list[1].product])
        #expect(told[2].compactMap { $0 as? String } == ["click", product, list[3].product])
        #expect(told[2][3] as? Int == 4)
        #expect(try page.evaluate("location.pathname") == "/page.html")
    }

    @Test(
        "where there is nothing to show, nothing is shown and nothing is broken",
        arguments: [
            "product=\"no/such\" src=\"out\"", "product=\"x\" src=\"nowhere/\"", "src=\"out\"",
            "product=\"x\" src=\"http://127.0.0.1:1/\"", "product=\"x\" src=\"page.html\"",
            "product=\"x\" src=\"out/index.json\"", "product=\"x\" src=\"http://[\"",
            "product=\"x\" src=\"version.json\"", "product=\"x\" src=\"null.json\"",
            "product=\"x\" src=\"poor.json\"",
        ])
    func nothing(attributes: String) throws {
        let site = try Site()
        let one = "{ \"product\": \"a\", \"image\": \"a.jpg\", \"score\": 1 }"
        try site.shop.folder.write(
            "version.json", Array("{ \"schemaVersion\": 2, \"recommendations\": [\(one)] }".utf8))
        try site.shop.folder.write("null.json", Array("null".utf8))
        try site.shop.folder.write(
            "poor.json", Array("{ \"schemaVersion\": 1, \"recommendations\": [{ \"product\": \"a\" }] }".utf8)
        )
        let page = try site.open(
            """
            <similar-products \(attributes)></similar-products>
            <script>addEventListener("similar-products:load", event => { window.count = event.detail.count; });</script>
            """)
        try page.wait(until: "window.count === 0")
        #expect(
            try page.evaluate("document.querySelector('similar-products').getBoundingClientRect().height")
                == 0)
        // What the browser itself says of a missing file is all that is said.
        #expect(page.errors.allSatisfy { $0.contains("Failed to load resource") }, "\(page.errors)")
        try page.expectAccessible()
    }

    @Test("what is in it is shown until the list is there, and stays where there is none")
    func fallback() throws {
        let site = try Site()
        let product = try site.first
        for (id, isThere) in [(product, true), ("no/such", false)] {
            let page = try site.open(
                """
                <similar-products product="\(id)" src="out" images="photos"><a href="/all">All</a></similar-products>
                <script>addEventListener("similar-products:load", () => { window.hasEnded = true; });</script>
                """)
            try page.wait(until: "window.hasEnded")
            let isShown: Bool = try page.evaluate(
                "document.querySelector('similar-products a').getBoundingClientRect().height > 0")
            #expect(isShown != isThere)
        }
    }

    @Test(
        "on a slow network its place is kept, and what is below does not move",
        arguments: ["", "<h2 slot=\"heading\">You may also like</h2>"], [false, true])
    func slowly(content: String, hasScrollbars: Bool) throws {
        let site = try Site(hasScrollbars: hasScrollbars)
        let product = try site.first
        let page = try site.open(
            """
            <similar-products product="\(product)" src="out" images="photos" link="/p/{product}">\(content)</similar-products>
            <p id="below">Below</p>
            """
        ) { try $0.slow(latencyMilliseconds: 400, bytesPerSecond: 50_000) }
        let place = "document.querySelector('#below').getBoundingClientRect().top"
        let hasList =
            "document.querySelector('similar-products').shadowRoot.querySelector('ul[part=list]') != null"
        try page.wait(until: "document.querySelector('similar-products').shadowRoot")
        let isEarly: Bool = try page.evaluate("!(\(hasList))")
        let before: Double = try page.evaluate(place)
        try page.waitForList()
        let after: Double = try page.evaluate(place)
        try page.wait(
            until:
                "document.querySelector('similar-products').shadowRoot.querySelector('img').complete")
        let end: Double = try page.evaluate(place)
        #expect(isEarly, "the list was there before the test could look")
        #expect(before == after && after == end)
        let cost = try page.cost()
        print("component on a slow network: \(cost)")
        #expect(cost.layoutShift == 0)
    }

    @Test("another product in the same element shows that product's list")
    func change() throws {
        let site = try Site()
        let products = try site.shop.published().keys.sorted()
        let page = try site.open(
            "<similar-products product=\"\(products[0])\" src=\"out\" images=\"photos\" link=\"{product}\"></similar-products>"
        )
        try page.waitForList()
        let first = try page.texts("img", "src")
        try page.run(
            "document.querySelector('similar-products').setAttribute('product', '\(products[5])')")
        let wanted = try site.list(of: products[5]).map { "\(site.server.address)/photos/\($0.image)" }
        try page.wait(
            until:
                "document.querySelector('similar-products').shadowRoot.querySelector('img').src !== '\(first[0])'"
        )
        #expect(try page.texts("img", "src") == wanted)
    }
}

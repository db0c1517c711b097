import Foundation
import Products
import Publishing
import TestSupport
import Testing

@Suite("The review page in a browser", .underUsualKernelLimits, .serialized)
struct ReviewPageTests {
    private func open(_ shop: Shop, on device: Page.Device = .desktop, _ hash: String = "") throws -> Page {
        let result = try shop.run("gallery", "--output", "\(shop.folder.path)/review")
        #expect(result.code == 0, "\(result.errors)")
        let page = try Page(try Browser(), on: device)
        try page.open("file://\(shop.folder.path)/review/index.html\(hash)")
        return page
    }

    private func ids(_ page: Page) throws -> [String] {
        try page.evaluate(
            "[...document.querySelectorAll('.row')].map(a => a.querySelector('h2').textContent)")
    }

    /// Rows have one height: nothing in them may be cut off.
    private func expectFittingRows(_ page: Page, _ what: String) throws {
        let cut: [String] = try page.evaluate(
            "[...document.querySelectorAll('.row, .row ol')].filter(e => e.scrollHeight > e.clientHeight).map(e => `${e.className} ${e.scrollHeight} ${e.clientHeight} ${e.textContent}`)"
        )
        #expect(cut == [], "\(what)")
    }

    private func view(_ name: String, _ page: Page) throws {
        try page.click("document.querySelector('[data-view=\(name)]')")
        try page.wait(
            until: "document.querySelector('[data-view=\(name)]').getAttribute('aria-pressed') === 'true'")
    }

    @Test(
        "shows each product with its list, from disk, on a desk and on a phone",
        arguments: Page.Device.allCases)
    func shows(device: Page.Device) throws {
        let shop = try Shop(perCategory: 3)
        try shop.folder.write("photos/broken.jpg", [0xFF, 0xD8, 0xFF, 0xE0])
        try shop.run("reconcile")
        let page = try open(shop, on: device)
        let documents = try shop.published()
        let shown = try ids(page)
        #expect(!shown.isEmpty && shown == Array(documents.keys.sorted().prefix(shown.count)))
        let first = try #require(documents.keys.min())
        let list: [String] = try page.evaluate(
            "[...document.querySelectorAll('.row:first-child ol .name')].map(n => n.textContent)")
        #expect(
            list
                == (documents[first]?["recommendations"] as? [[String: Any]])?.compactMap {
                    $0["product"] as? String
                })
        try page.wait(
            until:
                "[...document.images].filter(i => i.getBoundingClientRect().top < innerHeight && i.getBoundingClientRect().left < innerWidth).every(i => i.complete && i.naturalWidth)"
        )
        #expect(try page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
        #expect(page.errors == [])
        try page.expectAccessible()
        print("review page on \(device.rawValue): \(try page.cost())")
        try page.screenshot("review-\(device.rawValue)")
        try expectFittingRows(page, "all")
        for name in ["changed", "duplicates", "unseen", "failed"] {
            try view(name, page)
            try page.expectAccessible()
            try page.screenshot("review-\(name)-\(device.rawValue)")
            // Whoever has larger letters has higher rows.
            try page.run("document.documentElement.style.fontSize = '24px'; redraw()")
            try expectFittingRows(page, "\(name), large letters")
            try page.run("document.documentElement.style.fontSize = ''; redraw()")
            try expectFittingRows(page, name)
        }
        let failed: [String] = try page.evaluate(
            "[...document.querySelectorAll('.row')].map(a => a.textContent)")
        #expect(failed.count == 1 && failed[0].hasPrefix("broken.jpg") && failed[0].contains("damaged"))
    }

    @Test("finds, sorts, and leads from a product to another and back")
    func moves() throws {
        // So few are named that some products are in no list.
        let shop = try Shop(perCategory: 3, extra: "[recommendations]\ncount = 2\n")
        try shop.run("reconcile")
        let page = try open(shop)
        let documents = try shop.published()
        try page.run("search.value = 'bird-00'; search.dispatchEvent(new Event('input'))")
        try page.wait(until: "document.querySelectorAll('.row').length === 3")
        #expect(try page.evaluate("summary.textContent.startsWith('3 of 30 products')"))
        #expect(try page.evaluate("location.hash") == "#q=bird-00")
        // A link from a list leads to that product, wherever it is.
        let target: String = try page.evaluate("document.querySelector('.row ol a').title")
        try page.click("document.querySelector('.row ol a')")
        try page.wait(until: "document.querySelector('.row.target h2')?.textContent === '\(target)'")
        #expect(try page.evaluate("document.activeElement.classList.contains('target')", as: Bool.self))
        try page.run("history.back()")
        try page.wait(
            until: "location.hash === '#q=bird-00' && document.querySelectorAll('.row').length === 3")
        try page.run("search.value = ''; search.dispatchEvent(new Event('input'))")
        try page.wait(until: "summary.textContent.startsWith('30 products')")

        func scores(_ product: String) -> [Double] {
            (documents[product]?["recommendations"] as? [[String: Any]] ?? []).compactMap {
                $0["score"] as? Double
            }
        }
        let named = documents.values.flatMap {
            ($0["recommendations"] as? [[String: Any]] ?? []).compactMap { $0["product"] as? String }
        }.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        let all = documents.keys.sorted()
        for (sort, wanted) in [
            ("weakest", all.sorted { (scores($0)[0], $0) < (scores($1)[0], $1) }),
            ("closest", all.sorted { (-scores($0)[0], $0) < (-scores($1)[0], $1) }),
            ("most", all.sorted { (-(named[$0] ?? 0), $0) < (-(named[$1] ?? 0), $1) }),
            ("least", all.sorted { (named[$0] ?? 0, $0) < (named[$1] ?? 0, $1) }),
        ] {
            try page.run("sort.value = '\(sort)'; sort.dispatchEvent(new Event('change'))")
            let shown = try ids(page)
            #expect(shown == Array(wanted.prefix(shown.count)), "\(sort)")
        }
        try view("unseen", page)
        let unseen = try ids(page)
        #expect(Set(unseen) == Set(all.filter { named[$0] == nil }).intersection(unseen) && !unseen.isEmpty)
    }

    @Test("what it shows has an address that shows it again", arguments: Page.Device.allCases)
    func deepLinks(device: Page.Device) throws {
        let shop = try Shop(perCategory: 3)
        try shop.run("reconcile")
        let page = try open(shop, on: device, "#product=flower/flower-002")
        #expect(
            try page.evaluate("document.querySelector('.row.target h2').textContent") == "flower/flower-002")
        let isInSight: Bool = try page.evaluate(
            "(() => { const r = document.querySelector('.row.target').getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; })()"
        )
        #expect(isInSight)
        let other = try open(shop, on: device, "#view=unseen&sort=weakest&q=s")
        #expect(try other.evaluate("search.value") == "s")
        #expect(try other.evaluate("document.querySelector('[aria-pressed=true]').dataset.view") == "unseen")
        #expect(try other.evaluate("sort.value") == "weakest")
        // What is no address of a view shows all.
        let odd = try open(shop, on: device, "#view=constructor&sort=x&score=y&product=%00")
        #expect(try odd.evaluate("document.querySelector('[aria-pressed=true]').dataset.view") == "all")
        #expect(odd.errors == [])
    }

    @Test("shows what has changed since the page before, and the same photo under two products")
    func changes() throws {
        let shop = try Shop(perCategory: 3)
        try shop.run("reconcile")
        let first = try open(shop)
        try view("changed", first)
        #expect(try first.evaluate("note.textContent.includes('no page to compare with')", as: Bool.self))
        let before = try shop.lists()

        try FileManager.default.copyItem(
            atPath: "\(shop.photos)/fruit/fruit-001.jpg", toPath: "\(shop.photos)/bird/the-same.jpg")
        try FileManager.default.removeItem(atPath: "\(shop.photos)/flower/flower-001.jpg")
        try shop.run("reconcile")
        let page = try open(shop)
        try view("changed", page)
        let after = try shop.lists()
        func names(_ list: [String]?) -> [String] { (list ?? []).map { String($0.split(separator: " ")[0]) } }
        let wanted = after.keys.filter { before[$0] == nil || names(before[$0]) != names(after[$0]) }.sorted()
        let count: Int = try page.evaluate(
            "+document.querySelector('[data-view=changed]').textContent.match(/\\d+/)[0]")
        #expect(count == wanted.count)
        let shown = try ids(page)
        #expect(shown == Array(wanted.prefix(shown.count)))
        #expect(
            try page.evaluate(
                "note.textContent.includes('1 product gone') && note.textContent.includes('flower/flower-001')",
                as: Bool.self))
        let fresh: [String] = try page.evaluate(
            "[...document.querySelectorAll('.row')].filter(a => a.querySelector('.badge')?.textContent === 'new').map(a => a.querySelector('h2').textContent)"
        )
        #expect(fresh == ["bird/the-same"])
        let gone: Bool = try page.evaluate("document.querySelector('#list').textContent.includes('gone: ')")
        #expect(gone == after.contains { !Set(names(before[$0.key])).isSubset(of: names($0.value)) })
        try page.screenshot("review-changed-later")
        try expectFittingRows(page, "changed")

        try view("duplicates", page)
        let pairs: [[String]] = try page.evaluate(
            "[...document.querySelectorAll('.row')].map(a => [...a.querySelectorAll('h2')].map(h => h.textContent).concat(a.querySelector(':scope > p').textContent))"
        )
        #expect(pairs.first == ["bird/the-same", "fruit/fruit-001", "The very same photo."])
        // With a lower limit there are more.
        try page.run(
            "const input = document.querySelector('#note input'); input.value = 0.3; input.dispatchEvent(new Event('change'))"
        )
        try page.wait(until: "document.querySelectorAll('.row').length > \(pairs.count)")
        try page.screenshot("review-duplicates-later")
        try expectFittingRows(page, "pairs")
        // Written again with nothing changed, the comparison stays.
        let again = try shop.run("gallery", "--output", "\(shop.folder.path)/review")
        #expect(again.output.contains("nothing has changed"))
    }

    @Test("a page, or anything else, that is not a review page is not overwritten")
    func foreign() throws {
        let shop = try Shop(perCategory: 1)
        try shop.run("reconcile")
        try shop.folder.write("site/index.html", Array("mine".utf8))
        let result = try shop.run("gallery", "--output", "\(shop.folder.path)/site")
        #expect(result.code == 73 && result.errors.contains("Name a folder of its own"))
        #expect(try String(contentsOfFile: "\(shop.folder.path)/site/index.html", encoding: .utf8) == "mine")
        let file = try shop.run("gallery", "--output", shop.settings)
        #expect(file.code == 73 && file.errors.contains("shop.toml"))
    }

    @Test(
        "with 20,000 products few rows are in the page, at its top and at its end",
        arguments: Page.Device.allCases)
    func many(device: Page.Device) throws {
        let folder = try TemporaryFolder()
        let count = 20_000
        var random = SeededRandom(seed: 1)
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/review", withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: "\(Repository.catalogue)/fruit/fruit-001.jpg", toPath: "\(folder.path)/photo.jpg")
        let photo = ProductPhoto(path: try #require(ImagePath("photo.jpg")), digest: ContentDigest(of: [1]))
        func id(_ number: Int) -> String { "category-\(number % 40)/product-\(1_000_000 + number)" }
        var gallery = Gallery(
            imagesFolder: folder.path, folder: "\(folder.path)/review", model: "m", nearDuplicateScore: 0.95)
        let ids = (0..<count).map(id).sorted()
        for (number, id) in ids.enumerated() {
            // Each its own bytes, or all would be duplicates.
            let own = ProductPhoto(path: photo.path, digest: ContentDigest(of: "\(number)".utf8))
            gallery.add(
                ProductDocument(
                    product: ProductID(id), photos: [own],
                    recommendations: (1...5).map { rank in
                        let other = ProductID(ids[Int.random(in: 0..<count, using: &random)])
                        return Candidate(
                            neighbour: Neighbour(product: other, score: Float(1 - 0.1 * Double(rank))),
                            photos: [photo])
                    }))
        }
        let data = try #require(gallery.data(previous: nil, now: .now))
        try folder.write("review/data.js", data)
        try folder.write("review/index.html", Gallery.page)
        let clock = ContinuousClock()
        let page = try Page(try Browser(), on: device)
        let loading = try clock.measure { try page.open("file://\(folder.path)/review/index.html") }
        let rows = "document.querySelectorAll('.row').length"
        let rowsAtTop: Int = try page.evaluate(rows)
        #expect(rowsAtTop > 3 && rowsAtTop < 40)
        try page.run("scrollTo(0, document.documentElement.scrollHeight)")
        try page.wait(
            until: "[...document.querySelectorAll('.row h2')].at(-1).textContent === '\(ids[count - 1])'")
        #expect(try page.evaluate(rows, as: Int.self) < 40)
        #expect(try page.evaluate("document.querySelectorAll('*').length < 1500", as: Bool.self))
        let milliseconds: Double = try page.evaluate(
            "(() => { const start = performance.now(); scrollTo(0, 2000000); draw(); document.body.offsetHeight; return performance.now() - start; })()"
        )
        let filtering: Double = try page.evaluate(
            "(() => { const start = performance.now(); set({ q: 'product-1012' }); document.body.offsetHeight; return performance.now() - start; })()"
        )
        #expect(try page.evaluate("shown.length") == 1000)
        let sorting: Double = try page.evaluate(
            "(() => { const start = performance.now(); set({ q: '', sort: 'most' }); document.body.offsetHeight; return performance.now() - start; })()"
        )
        let jump: Double = try page.evaluate(
            "(() => { const start = performance.now(); location.hash = '#product=\(ids[12_345])'; follow(); return performance.now() - start; })()"
        )
        #expect(try page.evaluate("document.querySelector('.row.target h2').textContent") == ids[12_345])
        print(
            "review page of \(count) products on \(device.rawValue): \(data.count) bytes of data, open in \(loading), "
                + "in ms: scroll \(milliseconds), search \(filtering), sort \(sorting), jump \(jump)")
        #expect(page.errors == [])
    }

    @Test("keys lead from row to row, and what has the focus stays")
    func keys() throws {
        let shop = try Shop(perCategory: nil)
        try shop.run("reconcile")
        let page = try open(shop)
        try page.run("document.querySelector('.row a').focus()")
        // Six links in each row: through twenty rows, far beyond those that are made at first.
        for _ in 0..<120 { try page.press("Tab", code: 9) }
        let name: String = try page.evaluate(
            "document.activeElement.closest('.row').querySelector('h2').textContent")
        #expect(try name == shop.published().keys.sorted()[20])
        let edges: [Double] = try page.evaluate(
            "(() => { const r = document.activeElement.getBoundingClientRect(); return [document.querySelector('header').offsetHeight, r.top, r.bottom, innerHeight]; })()"
        )
        #expect(edges == edges.sorted())
    }
}

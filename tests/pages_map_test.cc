// PageMap against std::map over random groups, and what is left of a large one.
#include "storage/page_map.h"

#include <map>

#include "base/random.h"
#include "tests/pages_fixture.h"

namespace ccr::storage {
namespace {

TEST(PageMap, EqualsAnOrderedMapOverRandomInsertsAndErasures) {
  Random random(7);
  PageMap map;
  std::map<PageNumber, std::uint64_t> expected;
  for (int step = 0; step < 20'000; ++step) {
    const PageNumber page = static_cast<PageNumber>(random.between(1, 3000));
    const PageMap::Inserted inserted = map.insert(page);
    ASSERT_EQ(inserted.is_new, !expected.contains(page));
    ASSERT_EQ(*inserted.value, expected[page]);
    *inserted.value = expected[page] = random.next();
    if (random.chance(1, 500)) {
      map.erase_above(page);
      expected.erase(expected.upper_bound(page), expected.end());
    }
    if (random.chance(1, 4000)) {
      map.clear();
      expected.clear();
    }
    ASSERT_EQ(map.size(), expected.size());
  }
  ASSERT_GT(expected.size(), 100u);
  EXPECT_EQ(map.sorted(), std::vector<PageMap::Entry>(expected.begin(), expected.end()));
  for (PageNumber page = 1; page <= 3000; ++page) {
    const std::uint64_t* const found = map.find(page);
    ASSERT_EQ(found != nullptr, expected.contains(page)) << page;
    if (found != nullptr) {
      ASSERT_EQ(*found, expected[page]);
    }
  }
}

TEST(PageMap, TheLargestPageIsAPageAndNoneIsNot) {
  PageMap map;
  EXPECT_EQ(map.find(0), nullptr);
  *map.insert(0xffffffff).value = 5;
  EXPECT_EQ(map.find(0), nullptr);
  EXPECT_EQ(*map.find(0xffffffff), 5u);
  map.erase_above(0xfffffffe);
  EXPECT_TRUE(map.empty());
}

TEST(PageMap, AClearedOneOfManyPagesServesAgain) {
  PageMap map;
  for (PageNumber page = 1; page <= 4 * PageMap::kept_pages_max; ++page) *map.insert(page).value = page;
  map.clear();
  EXPECT_EQ(map.find(1), nullptr);
  EXPECT_TRUE(map.sorted().empty());
  *map.insert(9).value = 1;
  EXPECT_EQ(map.sorted(), (std::vector<PageMap::Entry>{{9, 1}}));
}

}  // namespace
}  // namespace ccr::storage

#include "engine/page_exchange.h"

#include <utility>

#include "base/timeout.h"

namespace ccr::engine {

using transport::Message;
using transport::PageAnswer;
using transport::PageAsk;

namespace {

Task<Result<Message>> receive_in_time(Clock& clock, transport::FramedConnection& connection, std::string what) {
  Task<Result<Message>> receiving = connection.receive();
  return with_timeout(clock, repair_silence_max, std::move(what), std::move(receiving));
}

}  // namespace

Task<Result<PageTaken>> ask_for_page(NodeContext& context, const DatabaseConfig& database, Signature signature, std::string node, PageAsk ask) {
  transport::Hello hello = hello_about(transport::Purpose::repair, database, signature, Epoch{});
  const Result<std::unique_ptr<transport::FramedConnection>> connected = co_await connect_to_copy(context, node, std::move(hello));
  if (!connected.ok()) co_return connected.error();
  transport::FramedConnection& connection = **connected;
  const Message question = ask;
  CCR_CO_TRY(co_await connection.send(question));
  const Result<Message> message = co_await receive_in_time(context.clock, connection, "page " + std::to_string(ask.page) + " of " + node);
  if (!message.ok()) co_return message.error();
  const auto* answer = std::get_if<PageAnswer>(&*message);
  if (answer == nullptr || answer->page != ask.page) co_return transport::unexpected(*message, "a connection for repair").within(node);
  PageTaken taken;
  taken.standing = answer->standing;
  taken.as_of = answer->as_of;
  taken.image.assign(answer->image.begin(), answer->image.end());
  taken.wire_bytes = connection.bytes_sent() + connection.bytes_received();
  co_return std::move(taken);
}

Task<Result<void>> serve_repair(Clock& clock, transport::FramedConnection& connection, PageGiver& giver) {
  for (;;) {
    const Result<Message> message = co_await receive_in_time(clock, connection, "the next ask for a page");
    if (!message.ok() && message.error().kind == ErrorKind::disconnected) co_return Result<void>();  // it has what it wanted
    if (!message.ok()) co_return message.error();
    const auto* ask = std::get_if<PageAsk>(&*message);
    if (ask == nullptr) co_return transport::unexpected(*message, "a connection for repair").within(connection.peer().text());
    const PageNumber page = ask->page;
    const Result<PageGiven> given = co_await giver.give(*ask);
    if (!given.ok() && given.error().kind != ErrorKind::busy) co_return given.error();
    PageAnswer answer;
    answer.page = page;
    if (given.ok()) {
      answer.standing = given->standing;
      answer.as_of = given->as_of;
      answer.image = given->image.view();
    }
    const Message told = answer;
    CCR_CO_TRY(co_await connection.send(told));
  }
}

}  // namespace ccr::engine

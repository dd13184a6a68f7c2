// Asio compiled once for the whole program (ASIO_SEPARATE_COMPILATION): each other file costs half as long to build.
#include <asio/impl/src.hpp>

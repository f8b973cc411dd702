# libpolygraphy: what include/polygraphy.h declares, shared and static, and its installation.
#
#     make install [DESTDIR=/tmp/root] [PREFIX=/usr/local] [LIBDIR=/usr/local/lib]
#
# ABI goes up when a program that was linked before would no longer work; ABI_MINOR with every added symbol.
ABI := 1
ABI_MINOR := 0
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DATADIR ?= $(PREFIX)/share
VERSION := $(shell sed -n 's/^\#define PG_VERSION "\(.*\)"/\1/p' src/base/version.h)

# The layers that the interface stands on; the program's own are left out.
PUBLIC_OBJECTS := $(filter-out $(addprefix $(OUT)/obj/,main.o tools/% cli/% args/% report/% draw/%),$(LIB_OBJECTS))
SHARED := $(OUT)/lib/libpolygraphy.so.$(ABI).$(ABI_MINOR)
STATIC := $(OUT)/lib/libpolygraphy.a

library: $(SHARED) $(STATIC)

$(SHARED): $(PUBLIC_OBJECTS) mk/libpolygraphy.map
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libpolygraphy.so.$(ABI) -Wl,--version-script,mk/libpolygraphy.map \
		-Wl,-z,defs -Wl,-z,relro -o $@ $(PUBLIC_OBJECTS) $(LDLIBS)

# One object whose other symbols cannot collide with those of the program it is linked into.
$(STATIC): $(PUBLIC_OBJECTS) mk/libpolygraphy.map
	@mkdir -p $(@D)
	@echo "  AR $@"
	@$(LD) -r -o $(OUT)/lib/polygraphy.o $(PUBLIC_OBJECTS)
	@objcopy --localize-hidden $(OUT)/lib/polygraphy.o
	@rm -f $@
	@$(AR) rcs $@ $(OUT)/lib/polygraphy.o

install: all library man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/polygraphy
	install -m 755 $(SHARED) $(DESTDIR)$(LIBDIR)/$(notdir $(SHARED))
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/libpolygraphy.so.$(ABI)
	ln -sf libpolygraphy.so.$(ABI) $(DESTDIR)$(LIBDIR)/libpolygraphy.so
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/libpolygraphy.a
	install -m 644 include/polygraphy.h $(DESTDIR)$(PREFIX)/include/polygraphy.h
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' mk/polygraphy.pc.in \
		> $(DESTDIR)$(LIBDIR)/pkgconfig/polygraphy.pc
	install -d $(DESTDIR)$(DATADIR)/man/man1 $(DESTDIR)$(DATADIR)/bash-completion/completions \
		$(DESTDIR)$(DATADIR)/zsh/site-functions $(DESTDIR)$(DATADIR)/fish/vendor_completions.d
	install -m 644 build/man/*.1 $(DESTDIR)$(DATADIR)/man/man1/
	install -m 644 build/completions/polygraphy.bash $(DESTDIR)$(DATADIR)/bash-completion/completions/polygraphy
	install -m 644 build/completions/_polygraphy $(DESTDIR)$(DATADIR)/zsh/site-functions/_polygraphy
	install -m 644 build/completions/polygraphy.fish $(DESTDIR)$(DATADIR)/fish/vendor_completions.d/polygraphy.fish

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/polygraphy $(DESTDIR)$(LIBDIR)/libpolygraphy.* $(DESTDIR)$(PREFIX)/include/polygraphy.h \
		$(DESTDIR)$(LIBDIR)/pkgconfig/polygraphy.pc $(DESTDIR)$(DATADIR)/man/man1/polygraphy*.1 \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/polygraphy $(DESTDIR)$(DATADIR)/zsh/site-functions/_polygraphy \
		$(DESTDIR)$(DATADIR)/fish/vendor_completions.d/polygraphy.fish

<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="xml" indent="yes"/>
<xsl:template match="orders"><sorted><xsl:for-each select="order"><xsl:sort select="@region"/><xsl:sort select="qty" data-type="number" order="descending"/><o n="{position()}" of="{last()}"><xsl:value-of select="@id"/></o></xsl:for-each></sorted></xsl:template>
</xsl:stylesheet>
